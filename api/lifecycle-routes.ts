/** What people ask of an agent's life: put it to rest, wake it, protect it, delete it. */
import type { Client } from '@temporalio/client';
import { type Request, type Response, Router } from 'express';
import type { DeleteReply, HibernateReply, ProtectionReply, ResumeReply } from '../contracts/http';
import { deleteQuerySchema, protectionRequestSchema } from '../contracts/http';
import { findAgent } from '../db/agent-reads';
import { type Db, inScope } from '../db/connect';
import { callerName, locateAgent, requireActing } from './http/access';
import type { Authenticator } from './http/bearer';
import { readJson, validate } from './http/json-body';
import { Problem } from './http/problem';
import { parameter, queryText, route } from './http/route';
import { deleteAgent, hibernateAgent, protectAgent, resumeAgent } from './workflow-calls';

export interface LifecycleRouteParts {
  apiDb: Db;
  temporal: Client;
  authenticator: Authenticator;
}

export function lifecycleRoutes(parts: LifecycleRouteParts): Router {
  const { temporal } = parts;
  const router = Router();

  route(router, '/api/agents/:agentId/hibernate', {
    POST: async (request, response) => {
      const { agentId, requestedBy } = await asked(parts, request);
      const accepted = await hibernateAgent(temporal, agentId, { requestedBy });
      const reply: HibernateReply = {
        success: true,
        message: 'The agent is being hibernated',
        workflow_id: accepted.workflowId,
      };
      response.status(202).json(reply);
    },
  });

  route(router, '/api/agents/:agentId/resume', {
    POST: async (request, response) => {
      const { agentId, requestedBy } = await asked(parts, request);
      const accepted = await resumeAgent(temporal, agentId, { requestedBy });
      const reply: ResumeReply = {
        success: true,
        message: 'The agent is being resumed',
        workflow_id: accepted.workflowId,
      };
      response.status(202).json(reply);
    },
  });

  route(router, '/api/agents/:agentId/protection', {
    PUT: async (request, response) => {
      const { agentId, requestedBy } = await asked(parts, request);
      const wanted = validate(protectionRequestSchema, await readJson(request));
      await protectAgent(temporal, agentId, { protected: wanted.protected, requestedBy });
      const reply: ProtectionReply = {
        success: true,
        message: wanted.protected
          ? 'No policy stops or deletes this agent now'
          : 'Policies apply to this agent again',
        protected: wanted.protected,
      };
      response.json(reply);
    },
  });

  return router;
}

/** `DELETE /api/agents/<id>?instances=keep|retire`. Deleting what is deleted is no error. */
export async function deleteAgentRoute(
  parts: LifecycleRouteParts,
  request: Request,
  response: Response,
): Promise<void> {
  const { clientId, agentId, requestedBy } = await asked(parts, request);
  const { instances } = validate(deleteQuerySchema, {
    instances: queryText(request, 'instances') ?? undefined,
  });
  let retirementWorkflowId: string | null = null;
  try {
    ({ retirementWorkflowId } = await deleteAgent(parts.temporal, agentId, { requestedBy, instances }));
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'agent_ended') throw error;
    const found = await inScope(parts.apiDb, { clientId }, (transaction) => findAgent(transaction, agentId));
    if (found?.status !== 'deleted') throw error;
  }
  const reply: DeleteReply = {
    success: true,
    message:
      retirementWorkflowId === null
        ? 'The agent is deleted; its machine, if it has one, is left to its owner'
        : 'The agent is deleted; its machine is terminated after the wait, unless an agent registers from it anew',
    agent_id: agentId,
    retirement_workflow_id: retirementWorkflowId,
  };
  response.json(reply);
}

async function asked({ apiDb, authenticator }: LifecycleRouteParts, request: Request) {
  const caller = requireActing(await authenticator.caller(request));
  const address = await locateAgent(apiDb, caller, parameter(request, 'agentId'));
  return { ...address, requestedBy: callerName(caller) };
}
