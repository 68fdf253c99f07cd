/** What instances send, but for heartbeats: registrations and EC2's notices. */
import { type Request, type Response, Router } from 'express';
import type { AcceptedReply } from '../contracts/http';
import {
  rebalanceRecommendationRequestSchema,
  registerRequestSchema,
  terminationImminentRequestSchema,
} from '../contracts/http';
import { agentWorkflowId } from '../contracts/ids';
import { type RebalanceRecommendation, signalNames, type TerminationNotice } from '../contracts/messages';
import { type Db, inScope } from '../db/connect';
import { addToOutbox } from '../db/outbox';
import { type AgentAddress, locateAgent, requireKind, requireOwnInstance } from './http/access';
import type { Authenticator } from './http/bearer';
import { readJson, validate } from './http/json-body';
import { parameter, route } from './http/route';
import type { SignalDelivery } from './intake/signal-delivery';
import { registerInstance, type RegistrationParts } from './registration';

export interface AgentRouteParts extends RegistrationParts {
  authenticator: Authenticator;
  delivery: SignalDelivery;
}

export function agentRoutes(parts: AgentRouteParts): Router {
  const { authenticator } = parts;
  const router = Router();

  route(router, '/api/agents/register', {
    POST: async (request, response) => {
      const caller = requireKind(await authenticator.caller(request), 'client', 'launch');
      const body = validate(registerRequestSchema, await readJson(request));
      response.json(await registerInstance(parts, caller, body));
    },
  });

  /** The intake takes heartbeats before they come here, unless the id in the address can't be an agent's. */
  route(router, '/api/agents/:agentId/heartbeat', {
    POST: async (request) => {
      await addressed(request);
    },
  });

  route(router, '/api/agents/:agentId/termination-imminent', {
    POST: async (request, response) => {
      const { caller, address } = await addressed(request);
      const body = validate(terminationImminentRequestSchema, await readJson(request));
      requireOwnInstance(caller, body.instance_id);
      const notice: TerminationNotice = {
        instanceId: body.instance_id,
        action: body.action,
        actionAt: body.time,
        receivedAt: new Date().toISOString(),
      };
      await sendSignal(parts, address, signalNames.terminationNotice, { ...notice });
      accepted(response, `The notice that EC2 will ${body.action} ${body.instance_id} is recorded.`);
    },
  });

  route(router, '/api/agents/:agentId/rebalance-recommendation', {
    POST: async (request, response) => {
      const { caller, address } = await addressed(request);
      const body = validate(rebalanceRecommendationRequestSchema, await readJson(request));
      requireOwnInstance(caller, body.instance_id);
      const recommendation: RebalanceRecommendation = {
        instanceId: body.instance_id,
        noticedAt: body.notice_time,
        receivedAt: new Date().toISOString(),
      };
      await sendSignal(parts, address, signalNames.rebalanceRecommendation, { ...recommendation });
      accepted(response, `The rebalance recommendation for ${body.instance_id} is recorded.`);
    },
  });

  async function addressed(request: Request) {
    const caller = requireKind(await authenticator.caller(request), 'agent', 'client');
    return { caller, address: await locateAgent(parts.apiDb, caller, parameter(request, 'agentId')) };
  }

  return router;
}

/**
 * Commits the signal, then tries to deliver it. Once committed it arrives, so its sender need not know whether Temporal
 * answered just now.
 */
export async function sendSignal(
  { apiDb, delivery }: { apiDb: Db; delivery: SignalDelivery },
  { clientId, agentId }: AgentAddress,
  signal: string,
  payload: Record<string, unknown>,
): Promise<void> {
  const workflowId = agentWorkflowId(agentId);
  await inScope(apiDb, { clientId }, (transaction) =>
    addToOutbox(transaction, [{ clientId, workflowId, signal, payload }]),
  );
  await delivery.tried(workflowId);
}

function accepted(response: Response, message: string): void {
  const reply: AcceptedReply = { success: true, message };
  response.status(202).json(reply);
}
