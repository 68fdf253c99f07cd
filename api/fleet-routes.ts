/** What people read of a client's agents: lists of those that live and those that are gone, histories, samples. */
import { type Request, Router } from 'express';
import type { AgentList } from '../contracts/http';
import {
  agentHistoryQuerySchema,
  agentListQuerySchema,
  type DeletedAgentList,
  deletedAgentsQuerySchema,
  type Resolution,
  type SampleList,
  samplesQuerySchema,
} from '../contracts/reads';
import { listAgents } from '../db/agent-reads';
import { findClient } from '../db/clients';
import { type Db, inScope } from '../db/connect';
import { listAgentEvents, listDeletedAgents, listSwitches } from '../db/history-reads';
import { listInstances } from '../db/instance-reads';
import { readSamples } from '../db/sample-reads';
import { locateAgent, ownClient, requireKind } from './http/access';
import type { Authenticator } from './http/bearer';
import { Problem } from './http/problem';
import { readQuery } from './http/query';
import { parameter, route } from './http/route';

export interface FleetRouteParts {
  apiDb: Db;
  authenticator: Authenticator;
  /** The workflow's page in the Temporal Web UI; null where its address isn't known. */
  workflowUrl: (workflowId: string) => string | null;
}

const HOUR_MS = 3_600_000;

export function fleetRoutes(parts: FleetRouteParts): Router {
  const { apiDb, authenticator, workflowUrl } = parts;
  const router = Router();

  route(router, '/api/client/:clientId/agents', {
    GET: async (request, response) => {
      const clientId = await clientOf(request);
      const { limit, after, ...filter } = readQuery(request, agentListQuerySchema);
      const rows = await inClient(clientId, (transaction) =>
        listAgents(transaction, clientId, filter, { after: after ?? null, limit }),
      );
      const reply: AgentList = {
        agents: rows.map((row) => ({ ...row, workflow_url: workflowUrl(row.workflow_id) })),
        next_after: rows.length < limit ? null : (rows.at(-1)?.agent_id ?? null),
      };
      response.json(reply);
    },
  });

  route(router, '/api/client/:clientId/agents/history', {
    GET: async (request, response) => {
      const clientId = await clientOf(request);
      const { limit, after, search } = readQuery(request, deletedAgentsQuerySchema);
      const { agents, nextAfter } = await inClient(clientId, (transaction) =>
        listDeletedAgents(transaction, clientId, search, { after: after ?? null, limit }),
      );
      const reply: DeletedAgentList = {
        agents: agents.map((row) => ({ ...row, workflow_url: workflowUrl(row.workflow_id) })),
        next_after: nextAfter,
      };
      response.json(reply);
    },
  });

  route(router, '/api/agents/:agentId/history', {
    GET: async (request, response) => {
      const { clientId, agentId } = await addressed(request);
      const { limit, after } = readQuery(request, agentHistoryQuerySchema);
      const history = await inScope(apiDb, { clientId }, async (transaction) => {
        const events = await listAgentEvents(transaction, agentId, { after: after ?? null, limit });
        return {
          agent_id: agentId,
          events,
          next_after: events.length < limit ? null : (events.at(-1)?.id ?? null),
          instances: await listInstances(transaction, agentId),
          switches: await listSwitches(transaction, agentId),
        };
      });
      response.json(history);
    },
  });

  route(router, '/api/agents/:agentId/samples', {
    GET: async (request, response) => {
      const { clientId, agentId } = await addressed(request);
      const query = readQuery(request, samplesQuerySchema);
      const to = query.to ?? new Date();
      const from = query.from ?? new Date(to.getTime() - HOUR_MS);
      if (from >= to) throw new Problem(400, 'invalid_query', 'The time from must come before the time to.');
      const resolution =
        query.resolution === 'auto' ? fitting(to.getTime() - from.getTime()) : query.resolution;
      const found = await inScope(apiDb, { clientId }, (transaction) =>
        readSamples(transaction, {
          agentId,
          instanceId: query.instance_id ?? null,
          from,
          to,
          resolution,
          limit: query.limit,
        }),
      );
      const reply: SampleList = {
        agent_id: agentId,
        resolution,
        from: from.toISOString(),
        to: to.toISOString(),
        samples: found.samples,
        truncated: found.nextFrom !== null,
        next_from: found.nextFrom,
      };
      response.json(reply);
    },
  });

  async function clientOf(request: Request): Promise<string> {
    const caller = requireKind(await authenticator.caller(request), 'admin', 'client', 'user');
    return ownClient(caller, parameter(request, 'clientId'));
  }

  function inClient<T>(clientId: string, work: (transaction: Db) => Promise<T>): Promise<T> {
    return inScope(apiDb, { clientId }, async (transaction) => {
      if (!(await findClient(transaction, clientId))) throw Problem.notFound('The client');
      return work(transaction);
    });
  }

  async function addressed(request: Request) {
    return locateAgent(apiDb, await authenticator.caller(request), parameter(request, 'agentId'));
  }

  return router;
}

/** Some hundreds of points a chart: each beat of 4 hours, five minutes of 40 hours, hours of 20 days, 6 hours beyond. */
function fitting(spanMs: number): Resolution {
  if (spanMs <= 4 * HOUR_MS) return 'raw';
  if (spanMs <= 40 * HOUR_MS) return '5m';
  return spanMs <= 20 * 24 * HOUR_MS ? '1h' : '6h';
}
