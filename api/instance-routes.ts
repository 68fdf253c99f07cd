/** Machines in the Dumont dialect: `agent/instances` and what stands below it. Its writes are `agent/status`, at the intake. */
import { type Request, Router } from 'express';
import { type KeepAliveReply, keepAliveRequestSchema } from '../contracts/http';
import { type KeepAlive, signalNames } from '../contracts/messages';
import { clientQuerySchema, type HeartbeatInstanceList, instanceListQuerySchema } from '../contracts/reads';
import { findClient } from '../db/clients';
import { type Db, inScope } from '../db/connect';
import { agentOfInstance, findHeartbeatInstance, listHeartbeatInstances } from '../db/heartbeat-reads';
import { sendSignal } from './agent-routes';
import { ownClient, requireActing, requireKind } from './http/access';
import type { Authenticator, Caller } from './http/bearer';
import { readJson, validate } from './http/json-body';
import { Problem } from './http/problem';
import { readQuery } from './http/query';
import { parameter, route } from './http/route';
import type { SignalDelivery } from './intake/signal-delivery';
import type { StatusAgents } from './intake/status-agents';

export interface InstanceRouteParts {
  apiDb: Db;
  authenticator: Authenticator;
  delivery: SignalDelivery;
  statusAgents: StatusAgents;
}

export function instanceRoutes(parts: InstanceRouteParts): Router {
  const { apiDb, authenticator } = parts;
  const router = Router();

  /** The intake takes what is posted; this says so to everything else. */
  route(router, '/api/agent/status', { POST: () => undefined });

  route(router, '/api/agent/instances', {
    GET: async (request, response) => {
      const caller = requireKind(await authenticator.caller(request), 'admin', 'client', 'user');
      const { client_id, limit, after, ...filter } = readQuery(request, instanceListQuerySchema);
      const clientId = clientOf(caller, client_id);
      const instances = await inScope(apiDb, { clientId }, async (transaction) => {
        if (!(await findClient(transaction, clientId))) throw Problem.notFound('The client');
        return listHeartbeatInstances(transaction, clientId, filter, { after: after ?? null, limit });
      });
      const reply: HeartbeatInstanceList = {
        instances,
        next_after: instances.length < limit ? null : (instances.at(-1)?.instance_id ?? null),
      };
      response.json(reply);
    },
  });

  route(router, '/api/agent/instances/:instanceId', {
    GET: async (request, response) => {
      const caller = requireKind(await authenticator.caller(request), 'admin', 'client', 'user');
      const { clientId, instanceId } = addressed(caller, request);
      const detail = await inScope(apiDb, { clientId }, (transaction) =>
        findHeartbeatInstance(transaction, clientId, instanceId),
      );
      if (detail === null) throw Problem.notFound('The instance');
      response.json(detail);
    },
  });

  route(router, '/api/agent/instances/:instanceId/keep-alive', {
    POST: async (request, response) => {
      const caller = requireActing(await authenticator.caller(request));
      const { clientId, instanceId } = addressed(caller, request);
      const { minutes } = validate(keepAliveRequestSchema, await readJson(request));
      const agentId = await agentToKeep(clientId, instanceId);
      const message: KeepAlive = { minutes };
      await sendSignal(parts, { clientId, agentId }, signalNames.keepAlive, { ...message });
      const reply: KeepAliveReply = {
        success: true,
        message: 'Manual keep-alive registered',
        valid_for_minutes: minutes,
      };
      response.json(reply);
    },
  });

  /**
   * The first word about an instance makes its agent: it may be one on which nothing of ours runs.
   * @throws Problem 404 for a client that isn't there, or 410 for an instance whose agent was deleted.
   */
  async function agentToKeep(clientId: string, instanceId: string): Promise<string> {
    const { agent, client } = await inScope(apiDb, { clientId }, async (transaction) => ({
      agent: await agentOfInstance(transaction, clientId, instanceId),
      client: await findClient(transaction, clientId),
    }));
    if (client === null) throw Problem.notFound('The client');
    if (agent === null) return parts.statusAgents.agentOf(clientId, instanceId);
    if (!agent.deleted) return agent.agentId;
    throw new Problem(
      410,
      'deleted',
      `The agent of instance ${instanceId} was deleted, so nothing keeps it alive; install it anew.`,
    );
  }

  return router;
}

/** Ids are anyone's own text, but of these characters. */
const INSTANCE_ID = /^[\w.:-]{1,128}$/;

function addressed(
  caller: Caller & { kind: 'admin' | 'client' | 'user' },
  request: Request,
): { clientId: string; instanceId: string } {
  const instanceId = parameter(request, 'instanceId');
  const clientId = clientOf(caller, readQuery(request, clientQuerySchema).client_id);
  if (!INSTANCE_ID.test(instanceId)) throw Problem.notFound('The instance');
  return { clientId, instanceId };
}

/** The addresses of this dialect name no client; an administrator, who has none, names one. */
function clientOf(caller: Caller & { kind: 'admin' | 'client' | 'user' }, named: string | undefined): string {
  if (named !== undefined) return ownClient(caller, named);
  if (caller.kind !== 'admin') return caller.clientId;
  throw new Problem(
    400,
    'invalid_query',
    "An administrator's token is of no client: name one by the query parameter client_id.",
  );
}
