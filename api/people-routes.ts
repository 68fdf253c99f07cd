/** What people ask of agents, and what they see of them. */
import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { type Request, Router } from 'express';
import type { AgentDetail, AgentSummary, KeepAliveReply, SwitchReply } from '../contracts/http';
import { keepAliveRequestSchema, switchRequestSchema } from '../contracts/http';
import { type KeepAlive, signalNames } from '../contracts/messages';
import { type AgentRow, findAgent } from '../db/agent-reads';
import { type Db, inScope } from '../db/connect';
import { listInstances } from '../db/instance-reads';
import { sendSignal } from './agent-routes';
import { callerName, locateAgent, requireActing } from './http/access';
import type { Authenticator } from './http/bearer';
import { readJson, validate } from './http/json-body';
import { Problem } from './http/problem';
import { parameter, route } from './http/route';
import type { SignalDelivery } from './intake/signal-delivery';
import { deleteAgentRoute } from './lifecycle-routes';
import { requestSwitchOfAgent } from './workflow-calls';

export interface PeopleRouteParts {
  apiDb: Db;
  temporal: Client;
  authenticator: Authenticator;
  delivery: SignalDelivery;
  /** The workflow's page in the Temporal Web UI; null where its address isn't known. */
  workflowUrl: (workflowId: string) => string | null;
}

export function peopleRoutes(parts: PeopleRouteParts): Router {
  const { apiDb, authenticator } = parts;
  const router = Router();

  route(router, '/api/agents/:agentId/switch', {
    POST: async (request, response) => {
      const caller = requireActing(await authenticator.caller(request));
      const { agentId } = await locateAgent(apiDb, caller, parameter(request, 'agentId'));
      const key = idempotencyKey(request);
      const body = validate(switchRequestSchema, await readJson(request));
      const accepted = await requestSwitchOfAgent(parts.temporal, agentId, {
        priority: 'manual',
        targetMode: body.target_mode,
        targetPool: body.target_pool_id,
        terminateWaitSeconds: body.terminate_wait_seconds,
        requestedBy: callerName(caller),
        requestId: body.request_id ?? key ?? randomUUID(),
      });
      const reply: SwitchReply = {
        success: true,
        switch_number: accepted.switchNumber,
        switch_workflow_id: accepted.switchWorkflowId,
      };
      response.status(202).json(reply);
    },
  });

  route(router, '/api/agents/:agentId/keep-alive', {
    POST: async (request, response) => {
      const caller = requireActing(await authenticator.caller(request));
      const address = await locateAgent(apiDb, caller, parameter(request, 'agentId'));
      const { minutes } = validate(keepAliveRequestSchema, await readJson(request));
      const message: KeepAlive = { minutes };
      await sendSignal(parts, address, signalNames.keepAlive, { ...message });
      const reply: KeepAliveReply = {
        success: true,
        message: 'Manual keep-alive registered',
        valid_for_minutes: minutes,
      };
      response.status(202).json(reply);
    },
  });

  route(router, '/api/agents/:agentId', {
    GET: async (request, response) => {
      const detail = await read(request, async (transaction, agentId): Promise<AgentDetail> => {
        const row = await findAgent(transaction, agentId);
        if (!row) throw Problem.notFound('The agent');
        return { ...summary(row), ...row, instances: await listInstances(transaction, agentId) };
      });
      response.json(detail);
    },
    DELETE: (request, response) => deleteAgentRoute(parts, request, response),
  });

  route(router, '/api/agents/:agentId/instances', {
    GET: async (request, response) => {
      response.json({ instances: await read(request, listInstances) });
    },
  });

  async function read<T>(
    request: Request,
    work: (transaction: Db, agentId: string) => Promise<T>,
  ): Promise<T> {
    const caller = await authenticator.caller(request);
    const { clientId, agentId } = await locateAgent(apiDb, caller, parameter(request, 'agentId'));
    return inScope(apiDb, { clientId }, (transaction) => work(transaction, agentId));
  }

  function summary(row: AgentRow): AgentSummary {
    return { ...row, workflow_url: parts.workflowUrl(row.workflow_id) };
  }

  return router;
}

function idempotencyKey(request: Request): string | null {
  const key = request.get('Idempotency-Key');
  if (key === undefined) return null;
  if (/^[\x21-\x7e]{1,128}$/.test(key)) return key;
  throw new Problem(400, 'invalid_header', 'Idempotency-Key holds from 1 to 128 visible ASCII characters.');
}
