/** Replicas: what people switch on, see and promote, and what a replica's agent reports of its sync. */
import type { Client } from '@temporalio/client';
import { type Request, Router } from 'express';
import type { Selectable } from 'kysely';
import {
  type PromoteReply,
  type ReplicaList,
  type ReplicaModeReply,
  replicaModeRequestSchema,
  replicaStatusQuerySchema,
  type ReplicaView,
  type SyncStatusReply,
  syncStatusRequestSchema,
} from '../contracts/replica-http';
import { replicaWorkflowId } from '../contracts/ids';
import { type Db, inScope } from '../db/connect';
import { listReplicas, readReplicaStanding, reportSync } from '../db/replicas';
import type { ReplicaInstancesTable } from '../db/schema';
import { callerName, locateAgent, requireActing, requireKind } from './http/access';
import type { Authenticator } from './http/bearer';
import { readJson, validate } from './http/json-body';
import { Problem } from './http/problem';
import { parameter, queryText, route } from './http/route';
import type { SignalDelivery } from './intake/signal-delivery';
import { promoteReplicaOfAgent, setReplicaModeOfAgent } from './workflow-calls';

export interface ReplicaRouteParts {
  apiDb: Db;
  temporal: Client;
  authenticator: Authenticator;
  delivery: SignalDelivery;
}

export function replicaRoutes(parts: ReplicaRouteParts): Router {
  const { apiDb, authenticator, temporal, delivery } = parts;
  const router = Router();

  route(router, '/api/agents/:agentId/replica-mode', {
    PUT: async (request, response) => {
      const { agentId, requestedBy } = await asked(request);
      const { mode } = validate(replicaModeRequestSchema, await readJson(request));
      await setReplicaModeOfAgent(temporal, agentId, { mode, requestedBy });
      const reply: ReplicaModeReply = {
        success: true,
        message: mode === 'none' ? 'Its replicas are terminated' : 'A replica is kept ready',
        replica_mode: mode,
      };
      response.json(reply);
    },
  });

  route(router, '/api/agents/:agentId/replicas', {
    GET: async (request, response) => {
      const caller = requireKind(await authenticator.caller(request), 'admin', 'client', 'user', 'agent');
      const { clientId, agentId } = await locateAgent(apiDb, caller, parameter(request, 'agentId'));
      const { status = null } = validate(replicaStatusQuerySchema, {
        status: queryText(request, 'status') ?? undefined,
      });
      const reply = await inScope(apiDb, { clientId }, async (transaction): Promise<ReplicaList> => ({
        replica_mode: (await readReplicaStanding(transaction, agentId))?.mode ?? 'none',
        replicas: (await listReplicas(transaction, agentId, status)).map(viewOf),
      }));
      response.json(reply);
    },
  });

  route(router, '/api/agents/:agentId/promote', {
    POST: async (request, response) => {
      response.status(202).json(await promoted(request, null));
    },
  });

  route(router, '/api/agents/:agentId/replicas/:replicaId/promote', {
    POST: async (request, response) => {
      response.status(202).json(await promoted(request, parameter(request, 'replicaId')));
    },
  });

  route(router, '/api/agents/:agentId/replicas/:replicaId/sync-status', {
    POST: async (request, response) => {
      const caller = requireKind(await authenticator.caller(request), 'agent', 'client');
      const { clientId, agentId } = await locateAgent(apiDb, caller, parameter(request, 'agentId'));
      const replicaId = parameter(request, 'replicaId');
      const body = validate(syncStatusRequestSchema, await readJson(request));
      const { answer, standing } = await inScope(apiDb, { clientId }, async (transaction) => ({
        answer: await reportSync(transaction, {
          clientId,
          agentId,
          replicaId,
          instanceId: caller.kind === 'agent' ? caller.instanceId : null,
          status: body.sync_status,
          latencyMs: body.sync_latency_ms,
          progressPercent: body.state_transfer_progress,
          incarnation: body.source_incarnation,
        }),
        standing: await readReplicaStanding(transaction, agentId),
      }));
      if (answer === null || standing === null) throw Problem.notFound('The replica');
      if (answer.news) delivery.poke([replicaWorkflowId(replicaId)]);
      if (answer.status === 'terminating' || answer.status === 'terminated' || answer.status === 'failed') {
        throw new Problem(
          409,
          'stand_down',
          `Replica ${replicaId} is ${answer.status}: it is not wanted any more.`,
        );
      }
      const promotedNow = answer.status === 'promoted';
      const { primary, incarnation } = standing;
      const reply: SyncStatusReply = {
        success: true,
        message: promotedNow ? 'The replica is the primary' : 'Sync status recorded',
        status: answer.status,
        role: promotedNow ? 'primary' : 'replica',
        incarnation,
        primary: primary && { instance_id: primary.instanceId, private_ip: primary.privateIp, incarnation },
      };
      response.json(reply);
    },
  });

  async function asked(request: Request) {
    const caller = requireActing(await authenticator.caller(request));
    const address = await locateAgent(apiDb, caller, parameter(request, 'agentId'));
    return { ...address, requestedBy: callerName(caller) };
  }

  async function promoted(request: Request, replicaId: string | null): Promise<PromoteReply> {
    const { agentId, requestedBy } = await asked(request);
    const accepted = await promoteReplicaOfAgent(temporal, agentId, { replicaId, requestedBy });
    return {
      success: true,
      message: 'The replica is being promoted',
      replica_id: accepted.replicaId,
      instance_id: accepted.instanceId,
    };
  }

  return router;
}

function viewOf(row: Selectable<ReplicaInstancesTable>): ReplicaView {
  const iso = (at: Date | null) => at?.toISOString() ?? null;
  return {
    id: row.id,
    replica_id: row.id,
    agent_id: row.agent_id,
    replica_type: row.replica_type,
    status: row.instance_status,
    instance_status: row.instance_status,
    instance_id: row.instance_id,
    instance_type: row.instance_type,
    az: row.az,
    mode: row.mode,
    sync_status: row.sync_status,
    sync_latency_ms: row.sync_latency_ms,
    state_transfer_progress:
      row.state_transfer_progress === null ? null : Number(row.state_transfer_progress),
    last_sync_at: iso(row.last_sync_at),
    message: row.message,
    created_at: row.created_at.toISOString(),
    ready_at: iso(row.ready_at),
    promoted_at: iso(row.promoted_at),
    terminated_at: iso(row.terminated_at),
    termination_confirmed: row.termination_confirmed,
    workflow_id: replicaWorkflowId(row.id),
  };
}
