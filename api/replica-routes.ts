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
import type { ReplicaStatus } from '../contracts/states';
import { type Db, inScope } from '../db/connect';
import { listReplicas, readReplicaStanding, readReplicaStatus, reportSync } from '../db/replicas';
import type { ReplicaInstancesTable } from '../db/schema';
import { callerName, locateAgent, requireActing, requireKind } from './http/access';
import type { Authenticator } from './http/bearer';
import { readJson, validate } from './http/json-body';
import { Problem } from './http/problem';
import { parameter, queryCount, queryText, route } from './http/route';
import type { SignalDelivery } from './intake/signal-delivery';
import type { Promotions } from './promotions';
import { promoteReplicaOfAgent, setReplicaModeOfAgent } from './workflow-calls';

export interface ReplicaRouteParts {
  apiDb: Db;
  temporal: Client;
  authenticator: Authenticator;
  delivery: SignalDelivery;
  promotions: Promotions;
}

const LONGEST_WAIT_SECONDS = 60;

/** What was said of a replica in one of these stays so. */
const ENDED: ReadonlySet<ReplicaStatus> = new Set(['promoted', 'terminating', 'terminated', 'failed']);

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
      const replica = await ofReplica(request);
      const { clientId, replicaId } = replica;
      const body = validate(syncStatusRequestSchema, await readJson(request));
      const report = {
        ...replica,
        status: body.sync_status,
        latencyMs: body.sync_latency_ms,
        progressPercent: body.state_transfer_progress,
        incarnation: body.source_incarnation,
      };
      const answer = await inScope(apiDb, { clientId }, (transaction) => reportSync(transaction, report));
      if (answer?.news) delivery.poke([replicaWorkflowId(replicaId)]);
      response.json(await standingOf(replica, answer?.status ?? null, 'Sync status recorded'));
    },
  });

  /** Answered at once when the replica was promoted or has ended, else after the time that it waits. */
  route(router, '/api/agents/:agentId/replicas/:replicaId/standing', {
    GET: async (request, response) => {
      const replica = await ofReplica(request);
      const { clientId, replicaId } = replica;
      const waitSeconds = queryCount(request, 'wait_seconds', LONGEST_WAIT_SECONDS) ?? 0;
      const left = new AbortController();
      response.once('close', () => left.abort());
      // Listening begins before the look, so that nothing falls between.
      const woken = parts.promotions.next(replicaId, waitSeconds * 1000, left.signal);
      const look = () =>
        inScope(apiDb, { clientId }, (transaction) => readReplicaStatus(transaction, replica));
      let status = await look();
      if (status !== null && waitSeconds > 0 && !ENDED.has(status)) {
        await woken;
        if (left.signal.aborted) return;
        status = await look();
      } else left.abort();
      response.json(await standingOf(replica, status, 'The replica waits'));
    },
  });

  /** A replica as its own agent, or its client, names it. */
  async function ofReplica(request: Request) {
    const caller = requireKind(await authenticator.caller(request), 'agent', 'client');
    const { clientId, agentId } = await locateAgent(apiDb, caller, parameter(request, 'agentId'));
    const instanceId = caller.kind === 'agent' ? caller.instanceId : null;
    return { clientId, agentId, replicaId: parameter(request, 'replicaId'), instanceId };
  }

  async function standingOf(
    { clientId, agentId, replicaId }: { clientId: string; agentId: string; replicaId: string },
    status: ReplicaStatus | null,
    message: string,
  ): Promise<SyncStatusReply> {
    const standing = await inScope(apiDb, { clientId }, (transaction) =>
      readReplicaStanding(transaction, agentId),
    );
    if (status === null || standing === null) throw Problem.notFound('The replica');
    if (ENDED.has(status) && status !== 'promoted') {
      throw new Problem(409, 'stand_down', `Replica ${replicaId} is ${status}: it is not wanted any more.`);
    }
    const promotedNow = status === 'promoted';
    const { primary, incarnation } = standing;
    return {
      success: true,
      message: promotedNow ? 'The replica is the primary' : message,
      status,
      role: promotedNow ? 'primary' : 'replica',
      incarnation,
      primary: primary && { instance_id: primary.instanceId, private_ip: primary.privateIp, incarnation },
    };
  }

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
