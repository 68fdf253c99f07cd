/** What surrounds the services' calls: roles, permissions, limits of rate, a slow network. */
import { z } from 'zod';
import type { Delay, PermissionRule, Role } from '../books/settings';
import { BUCKET_KINDS } from '../services/throttle';
import { ControlError } from './control-error';
import { check } from './route';
import type { Route } from './route';

const seconds = z.number().min(0).max(3600);
/** `RunInstances` is EC2's. */
const serviceAction = z
  .string()
  .regex(/^(\*|[\w*]+:[\w*]+|\w+)$/, 'it takes an action such as ec2:RunInstances, or *')
  .transform((action) => (/[:*]/.test(action) ? action : `ec2:${action}`));

const roleSchema = z.strictObject({
  arn: z
    .string()
    .regex(
      /^arn:aws:iam::\d{12}:role\/[\w+=,.@/-]+$/,
      'it takes the ARN of a role, as arn:aws:iam::123456789012:role/name',
    ),
  external_id: z.string().min(2).max(1224).nullable().default(null),
  max_session_seconds: z.number().int().min(3600).max(43_200).default(3600),
  trusted: z.array(z.string().min(1)).nullable().default(null),
});
const roleNameSchema = z.strictObject({ arn: z.string() });
const permissionSchema = z.strictObject({
  effect: z.enum(['allow', 'deny']),
  action: serviceAction,
  principal: z.string().min(1).default('*'),
  explicit: z.boolean().default(false),
});
const throttleSchema = z.strictObject({
  action: serviceAction,
  kind: z.enum(BUCKET_KINDS).default('request'),
  capacity: z.number().min(0).max(1_000_000),
  refill_per_second: z.number().min(0).max(1_000_000),
});
const documentedSchema = z.strictObject({ on: z.boolean() });
const delaySchema = z.strictObject({
  service: z.enum(['ec2', 'sts', 'pricing', 'imds', '*']).default('*'),
  action: z.string().min(1).default('*'),
  before_seconds: seconds.default(0),
  after_seconds: seconds.default(0),
  jitter_seconds: seconds.default(0),
});

export const SERVICE_ROUTES: readonly Route[] = [
  { method: 'GET', path: /^\/roles$/, run: ({ cloud }) => cloud.books.all('role').map(describeRole) },
  {
    method: 'POST',
    path: /^\/roles$/,
    run: ({ cloud, body }) => {
      const { arn, external_id, max_session_seconds, trusted } = check(roleSchema, body);
      const role = { arn, externalId: external_id, maxSessionSeconds: max_session_seconds, trusted };
      cloud.books.commit(cloud.books.position, [['role', arn, role]]);
      return describeRole(role);
    },
  },
  {
    method: 'POST',
    path: /^\/roles\/delete$/,
    run: ({ cloud, body }) => {
      const { arn } = check(roleNameSchema, body);
      if (!cloud.books.get('role', arn)) throw new ControlError(404, `There is no role ${arn}.`);
      cloud.books.commit(cloud.books.position, [['role', arn, null]]);
      return { deleted: arn };
    },
  },
  {
    method: 'GET',
    path: /^\/permissions$/,
    run: ({ permissions }) => permissions.list().map(describeRule),
  },
  {
    method: 'POST',
    path: /^\/permissions$/,
    run: ({ permissions, body }) => describeRule(permissions.set(check(permissionSchema, body))),
  },
  {
    method: 'POST',
    path: /^\/permissions\/clear$/,
    run: ({ permissions }) => {
      permissions.clear();
      return [];
    },
  },
  { method: 'GET', path: /^\/throttles$/, run: ({ throttle }) => describeThrottle(throttle) },
  {
    method: 'POST',
    path: /^\/throttles$/,
    run: ({ throttle, body }) => {
      const { kind, action, capacity, refill_per_second } = check(throttleSchema, body);
      throttle.set(kind, action, { capacity, refill: refill_per_second });
      return describeThrottle(throttle);
    },
  },
  {
    method: 'POST',
    path: /^\/throttles\/documented$/,
    run: ({ throttle, body }) => {
      throttle.documented = check(documentedSchema, body).on;
      return describeThrottle(throttle);
    },
  },
  {
    method: 'POST',
    path: /^\/throttles\/clear$/,
    run: ({ throttle }) => {
      throttle.clear();
      return describeThrottle(throttle);
    },
  },
  { method: 'GET', path: /^\/delays$/, run: ({ delays }) => delays.list().map(describeDelay) },
  {
    method: 'POST',
    path: /^\/delays$/,
    run: ({ delays, body }) => {
      const wanted = check(delaySchema, body);
      delays.set({
        service: wanted.service,
        action: wanted.action,
        beforeSeconds: wanted.before_seconds,
        afterSeconds: wanted.after_seconds,
        jitterSeconds: wanted.jitter_seconds,
      });
      return delays.list().map(describeDelay);
    },
  },
  {
    method: 'POST',
    path: /^\/delays\/clear$/,
    run: ({ delays }) => {
      delays.clear();
      return [];
    },
  },
];

function describeRole({ arn, externalId, maxSessionSeconds, trusted }: Role) {
  return { arn, external_id: externalId, max_session_seconds: maxSessionSeconds, trusted };
}

function describeRule({ effect, action, principal, explicit }: PermissionRule) {
  return { effect, action, principal, explicit };
}

function describeThrottle(throttle: { documented: boolean; list(): BucketList }) {
  return {
    documented: throttle.documented,
    set: throttle.list().map(({ kind, action, size }) => ({
      kind,
      action,
      capacity: size.capacity,
      refill_per_second: size.refill,
    })),
  };
}
type BucketList = { kind: string; action: string; size: { capacity: number; refill: number } }[];

function describeDelay({ service, action, beforeSeconds, afterSeconds, jitterSeconds }: Delay) {
  return {
    service,
    action,
    before_seconds: beforeSeconds,
    after_seconds: afterSeconds,
    jitter_seconds: jitterSeconds,
  };
}
