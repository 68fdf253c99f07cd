/** Channels by which people are told what happened: a client's, and the whole system's for administrators. */
import { randomUUID } from 'node:crypto';
import { type Client, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { type Request, Router } from 'express';
import type {
  ChannelChanges,
  ChannelReply,
  ChannelTestReply,
  ChannelView,
  DeliveryView,
} from '../contracts/notification-http';
import { changeChannelRequestSchema, createChannelRequestSchema } from '../contracts/notification-http';
import { shownTarget, targetFault, type TargetRules } from '../contracts/notification-targets';
import {
  type ChannelKind,
  channelTestWorkflowId,
  type DeliveryInput,
  type DeliveryResult,
  notificationWorkflowTypes,
  WHOLE_SYSTEM,
} from '../contracts/notifications';
import { findClient } from '../db/clients';
import { type Db, inScope, type RequestScope } from '../db/connect';
import {
  changeChannel,
  type ChannelChange,
  type ChannelRow,
  createChannel,
  deleteChannel,
  findChannel,
  listChannels,
  listDeliveries,
  MOST_CHANNELS,
  newSigningSecret,
} from '../db/notification-channels';
import { requireActing, requireKind } from './http/access';
import type { Authenticator, Caller } from './http/bearer';
import { readJson, validate } from './http/json-body';
import { Problem } from './http/problem';
import { parameter, queryCount, route } from './http/route';

export interface NotificationRouteParts {
  apiDb: Db;
  temporal: Client;
  authenticator: Authenticator;
  taskQueue: string;
  targetRules: TargetRules;
}

/** Whose channels an address names, once it is known to be the caller's to see. */
interface Place {
  caller: Caller;
  audience: string;
  clientId: string | null;
  scope: RequestScope;
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const MAX_PAGE = 200;
const DEFAULT_PAGE = 50;
/** An attempt ends within 15 s. */
const TEST_DEADLINE_MS = 20_000;

export function notificationRoutes(parts: NotificationRouteParts): Router {
  const { apiDb, authenticator, targetRules: rules } = parts;
  const router = Router();
  addRoutes('/api/clients/:clientId/notification-channels', ofClient);
  addRoutes('/api/notification-channels', ofSystem);
  return router;

  function addRoutes(base: string, locate: (request: Request) => Promise<Place>): void {
    route(router, base, {
      GET: async (request, response) => {
        const { audience, scope } = await locate(request);
        const channels = await inScope(apiDb, scope, (transaction) => listChannels(transaction, audience));
        response.json({ channels: channels.map(view) });
      },
      POST: async (request, response) => {
        const { caller, audience, clientId, scope } = await locate(request);
        requireActing(caller);
        const body = validate(createChannelRequestSchema, await readJson(request));
        checkTarget(body.kind, body.target, rules);
        const secret = body.kind === 'webhook' ? newSigningSecret() : null;
        const created = await inScope(apiDb, scope, (transaction) =>
          createChannel(transaction, audience, {
            clientId,
            kind: body.kind,
            name: body.name,
            target: body.target,
            shownTarget: shownTarget(body.kind, body.target),
            secret,
            minimumSeverity: body.minimum_severity,
            eventTypes: body.event_types,
            messagesPerHour: body.messages_per_hour,
            enabled: body.enabled,
          }),
        );
        if (!created) {
          throw new Problem(
            409,
            'too_many',
            `There are ${MOST_CHANNELS} channels already, which is the most; delete one first.`,
          );
        }
        response.status(201).json(replyOf(created, secret));
      },
    });

    route(router, `${base}/:channelId`, {
      GET: async (request, response) => {
        const place = await locate(request);
        response.json(view(await channelOf(request, place)));
      },
      PATCH: async (request, response) => {
        const place = await locate(request);
        requireActing(place.caller);
        const changes = validate(changeChannelRequestSchema, await readJson(request));
        const known = await channelOf(request, place);
        const change = changeOf(known, changes, rules);
        const changed = await inScope(apiDb, place.scope, (transaction) =>
          changeChannel(transaction, place.audience, known.id, change),
        );
        if (!changed) throw Problem.notFound('The channel');
        response.json(replyOf(changed, change.secret ?? null));
      },
      DELETE: async (request, response) => {
        const place = await locate(request);
        requireActing(place.caller);
        const { id } = await channelOf(request, place);
        await inScope(apiDb, place.scope, (transaction) => deleteChannel(transaction, place.audience, id));
        response.status(204).end();
      },
    });

    route(router, `${base}/:channelId/deliveries`, {
      GET: async (request, response) => {
        const place = await locate(request);
        const limit = queryCount(request, 'limit', MAX_PAGE) ?? DEFAULT_PAGE;
        const { id } = await channelOf(request, place);
        const rows = await inScope(apiDb, place.scope, (transaction) =>
          listDeliveries(transaction, place.audience, id, limit),
        );
        const deliveries: DeliveryView[] = rows.map((row) => ({
          ...row,
          created_at: row.created_at.toISOString(),
          last_attempt_at: row.last_attempt_at?.toISOString() ?? null,
          delivered_at: row.delivered_at?.toISOString() ?? null,
        }));
        response.json({ deliveries });
      },
    });

    route(router, `${base}/:channelId/test`, {
      POST: async (request, response) => {
        const place = await locate(request);
        requireActing(place.caller);
        const { id } = await channelOf(request, place);
        const reply = await testChannel(parts, place, id);
        response.status(reply.delivery_id === null ? 202 : 200).json(reply);
      },
    });
  }

  async function ofClient(request: Request): Promise<Place> {
    const caller = requireKind(await authenticator.caller(request), 'admin', 'client', 'user');
    const clientId = parameter(request, 'clientId');
    const visible = caller.kind === 'admin' || caller.clientId === clientId;
    const known =
      visible &&
      /^[\w.-]{1,64}$/.test(clientId) &&
      (await inScope(apiDb, { clientId }, (transaction) => findClient(transaction, clientId)));
    if (!known) throw Problem.notFound('The client');
    return { caller, audience: clientId, clientId, scope: { clientId } };
  }

  async function ofSystem(request: Request): Promise<Place> {
    const caller = requireKind(await authenticator.caller(request), 'admin');
    return { caller, audience: WHOLE_SYSTEM, clientId: null, scope: { admin: true } };
  }

  async function channelOf(request: Request, { audience, scope }: Place): Promise<ChannelRow> {
    const id = parameter(request, 'channelId');
    const found =
      UUID.test(id) &&
      (await inScope(apiDb, scope, (transaction) => findChannel(transaction, audience, id.toLowerCase())));
    if (!found) throw Problem.notFound('The channel');
    return found;
  }
}

/** @throws Problem 422 */
function checkTarget(kind: ChannelKind, target: string, rules: TargetRules): void {
  const fault = targetFault(kind, target, rules);
  if (fault) throw invalid('target', fault);
}

function invalid(field: string, message: string): Problem {
  return new Problem(422, 'invalid_body', `The body can't be taken: ${field}: ${message}.`, {
    extensions: { errors: [{ field, message }] },
  });
}

function changeOf({ kind }: ChannelRow, changes: ChannelChanges, rules: TargetRules): ChannelChange {
  const { target, rotate_secret } = changes;
  if (target !== undefined) checkTarget(kind, target, rules);
  if (rotate_secret && kind !== 'webhook')
    throw invalid('rotate_secret', `a channel of kind ${kind} has no secret`);
  return {
    ...(changes.name !== undefined && { name: changes.name }),
    ...(target !== undefined && { target: { target, shownTarget: shownTarget(kind, target) } }),
    ...(rotate_secret && { secret: newSigningSecret() }),
    ...(changes.minimum_severity && { minimumSeverity: changes.minimum_severity }),
    ...(changes.event_types && { eventTypes: changes.event_types }),
    ...(changes.messages_per_hour !== undefined && { messagesPerHour: changes.messages_per_hour }),
    ...(changes.enabled !== undefined && { enabled: changes.enabled }),
  };
}

/** Sends a test message by way of a worker and waits for what becomes of it. */
async function testChannel(
  { temporal, taskQueue }: NotificationRouteParts,
  { caller, audience }: Place,
  channelId: string,
): Promise<ChannelTestReply> {
  const deliveryId = randomUUID();
  const requestedBy = caller.kind === 'admin' ? 'an administrator' : `a ${caller.kind} token`;
  const input: DeliveryInput = { audience, channelId, deliveryId, test: { requestedBy } };
  const deadlineMs = Date.now() + TEST_DEADLINE_MS;
  try {
    const result = await temporal.withDeadline(deadlineMs, () =>
      temporal.workflow.execute<(input: DeliveryInput) => Promise<DeliveryResult>>(
        notificationWorkflowTypes.delivery,
        {
          workflowId: channelTestWorkflowId(channelId),
          taskQueue,
          args: [input],
          workflowIdConflictPolicy: 'FAIL',
          workflowExecutionTimeout: '5 min',
        },
      ),
    );
    return { delivered: result.outcome === 'delivered', delivery_id: deliveryId, message: result.message };
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) {
      throw new Problem(409, 'test_running', 'A test of this channel is running; wait for its end.');
    }
    if (Date.now() < deadlineMs) throw error;
    const message =
      'The test is still under way; look at the deliveries of the channel. Is a worker running?';
    return { delivered: false, delivery_id: null, message };
  }
}

function replyOf(channel: ChannelRow, secret: string | null): ChannelReply {
  return { ...view(channel), ...(secret !== null && { secret }) };
}

function view(channel: ChannelRow): ChannelView {
  const { shown_target, created_at, updated_at, ...rest } = channel;
  return {
    ...rest,
    target: shown_target,
    created_at: created_at.toISOString(),
    updated_at: updated_at.toISOString(),
  };
}
