/** Instances and what happens to them. */
import { z } from 'zod';
import { HOST_FAILED, SPOT_TAKEN } from '../instances/lifecycle';
import { ControlError } from './control-error';
import { activeInstance, check, findInstance } from './route';
import type { Route } from './route';
import { describeInstance } from './views';

const noticeSchema = z.strictObject({ seconds: z.number().min(0).max(86_400).optional() });
const nothingSchema = z.strictObject({});

export const INSTANCE_ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: /^\/instances$/,
    run: ({ cloud }) => cloud.books.all('instance').map((instance) => describeInstance(cloud, instance)),
  },
  {
    method: 'GET',
    path: /^\/instances\/([^/]+)$/,
    run: (request) => describeInstance(request.cloud, findInstance(request)),
  },
  {
    method: 'POST',
    path: /^\/instances\/([^/]+)\/notice$/,
    run: (request) => {
      const { seconds } = check(noticeSchema, request.body);
      const instance = activeInstance(request);
      if (instance.option !== 'spot')
        throw new ControlError(409, `${instance.id} is on-demand: EC2 doesn't take it.`);
      request.cloud.notify(instance, seconds);
      return describeInstance(request.cloud, findInstance(request));
    },
  },
  {
    method: 'POST',
    path: /^\/instances\/([^/]+)\/rebalance$/,
    run: (request) => {
      check(nothingSchema, request.body);
      request.cloud.recommendRebalance(activeInstance(request));
      return describeInstance(request.cloud, findInstance(request));
    },
  },
  {
    method: 'POST',
    path: /^\/instances\/([^/]+)\/crash$/,
    run: (request) => {
      check(nothingSchema, request.body);
      const { id } = findInstance(request);
      if (!request.cloud.machines.crash(id)) throw new ControlError(409, `No agent process runs on ${id}.`);
      return { crashed: id };
    },
  },
  {
    method: 'POST',
    path: /^\/instances\/([^/]+)\/reboot$/,
    run: async (request) => {
      check(nothingSchema, request.body);
      const { id } = activeInstance(request);
      if (request.cloud.machines.agentPid(id) === null)
        throw new ControlError(409, `No agent process runs on ${id}.`);
      await request.cloud.machines.reboot(id);
      return { rebooted: id };
    },
  },
  {
    method: 'POST',
    path: /^\/instances\/([^/]+)\/vanish$/,
    run: (request) => {
      check(nothingSchema, request.body);
      const instance = activeInstance(request);
      request.cloud.endInstances([instance], instance.option === 'spot' ? SPOT_TAKEN : HOST_FAILED);
      return describeInstance(request.cloud, findInstance(request));
    },
  },
];
