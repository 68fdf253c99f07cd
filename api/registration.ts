/** `POST /api/agents/register`: an instance says where it runs, and learns which agent it is and what part it plays. */
import type { Client } from '@temporalio/client';
import { type RegisterReply, type RegisterRequest, clientPolicySchema } from '../contracts/http';
import type { AgentPolicy, InstanceFacts, Registration } from '../contracts/messages';
import { DEFAULT_POLICY, policyAtSpeed } from '../contracts/policy-defaults';
import { isEc2InstanceId } from '../contracts/ids';
import type { InstanceRole } from '../contracts/states';
import { findClient } from '../db/clients';
import { type Db, inScope } from '../db/connect';
import { type LaunchRecord, resolveAgentId } from '../db/identities';
import { holderOfInstance } from '../db/instances';
import { openLease } from '../db/leases';
import { issueToken, revokeAgentTokens } from '../db/tokens';
import { forbidden, requireKind } from './http/access';
import type { Caller } from './http/bearer';
import { Problem, retryAfter } from './http/problem';
import { registerWithAgent } from './workflow-calls';

export interface RegistrationParts {
  apiDb: Db;
  ingestDb: Db;
  temporal: Client;
  taskQueue: string;
  /** Divides the durations of policies. */
  speed: number;
}

/** For an instance that doesn't say in which AWS account it runs; no worker serves it by this name. */
const UNKNOWN_ACCOUNT = 'unknown';

/** @throws Problem 403 for another's launch, 409 when the agent's workflow refuses or it should ask again later. */
export async function registerInstance(
  parts: RegistrationParts,
  caller: Caller,
  request: RegisterRequest,
): Promise<RegisterReply> {
  const holder = requireKind(caller, 'client', 'launch');
  const { clientId } = holder;
  const launch = holder.kind === 'launch' ? ownLaunch(holder.launch, request) : null;
  const { agentId, role, incarnation, replicaId, policy } = await placeInstance(parts, clientId, request, {
    launch,
  });
  const instanceId = request.instance_id;
  return inScope(parts.apiDb, { clientId }, async (transaction) => {
    await revokeAgentTokens(transaction, agentId, instanceId);
    const issued = await issueToken(
      transaction,
      { kind: 'agent', clientId, agentId, instanceId, incarnation },
      null,
    );
    const standing = await transaction
      .selectFrom('instance_standing')
      .select('config_revision')
      .where('agent_id', '=', agentId)
      .where('instance_id', '=', instanceId)
      .executeTakeFirst();
    return {
      agent_id: agentId,
      agent_token: issued.token,
      role,
      incarnation,
      replica_id: replicaId,
      heartbeat_interval_seconds: policy.heartbeatIntervalSeconds,
      config_revision: standing?.config_revision ?? 1,
    };
  });
}

/** Where an instance stands, once its agent's workflow has said so. */
export interface Placed {
  agentId: string;
  role: InstanceRole;
  incarnation: number;
  /** Set for a replica. */
  replicaId: string | null;
  policy: AgentPolicy;
}

/**
 * Registers an instance of a client with its agent, which is made if there is none of its logical id, and opens its lease.
 * @param ownDefaults where the client has no setting of its own, before the shipped ones.
 * @throws Problem 409 when the agent's workflow refuses or it should ask again later.
 */
export async function placeInstance(
  parts: RegistrationParts,
  clientId: string,
  request: RegisterRequest,
  { launch = null, ownDefaults = {} }: { launch?: LaunchRecord | null; ownDefaults?: Partial<AgentPolicy> },
): Promise<Placed> {
  await refuseForeignInstance(parts.apiDb, clientId, request.instance_id);
  const { agentId, policy } = await inScope(parts.apiDb, { clientId }, async (transaction) => ({
    agentId: launch?.agentId ?? (await resolveAgentId(transaction, clientId, request.logical_agent_id)),
    policy: policyOf((await findClient(transaction, clientId))?.policy ?? {}, ownDefaults, parts.speed),
  }));
  const registration: Registration = {
    facts: factsOf(request, launch),
    policy,
    launch: launch && {
      launchId: launch.launchId,
      switchNumber: launch.switchNumber,
      replicaId: launch.replicaId,
    },
  };
  const input = { clientId, agentId, logicalAgentId: request.logical_agent_id };
  const outcome = await registerWithAgent(parts.temporal, parts.taskQueue, input, registration);
  if (outcome.result === 'wait') {
    const headers = retryAfter(outcome.retryAfterSeconds);
    throw new Problem(409, 'wait', outcome.reason, { headers });
  }
  if (outcome.result === 'refused') throw new Problem(409, outcome.code, outcome.reason);

  const { role, incarnation, replicaId = null } = outcome;
  await openLease(parts.ingestDb, { clientId, agentId, instanceId: request.instance_id });
  return { agentId, role, incarnation, replicaId, policy };
}

/** A launch id registers the one instance that the launch made, for the agent that it was made for. */
function ownLaunch(launch: LaunchRecord, request: RegisterRequest): LaunchRecord {
  if (launch.logicalAgentId !== request.logical_agent_id) {
    throw forbidden(`Launch ${launch.launchId} was made for another agent.`, 'wrong_agent');
  }
  if (launch.instanceId !== null && launch.instanceId !== request.instance_id) {
    throw new Problem(
      409,
      'unknown_launch',
      `Launch ${launch.launchId} made instance ${launch.instanceId}, not ${request.instance_id}.`,
    );
  }
  return launch;
}

/** A client may bring its own machines only: what it brings can be terminated in its name. */
async function refuseForeignInstance(apiDb: Db, clientId: string, instanceId: string): Promise<void> {
  if (!isEc2InstanceId(instanceId)) return; // Others' ids are unique in their client only.
  const holder = await inScope(apiDb, { instanceId }, (transaction) =>
    holderOfInstance(transaction, instanceId),
  );
  if (holder === null || holder.clientId === clientId) return;
  throw new Problem(
    409,
    'instance_taken',
    `Instance ${instanceId} is registered by another client; it can't be registered here as well.`,
  );
}

/** The shipped policy with the client's own settings over it, as far as they are an agent's. */
function policyOf(
  stored: Record<string, unknown>,
  ownDefaults: Partial<AgentPolicy>,
  speed: number,
): AgentPolicy {
  const own = clientPolicySchema.safeParse(stored);
  const set = Object.entries(own.success ? own.data : {}).filter(
    ([name, value]) => value !== undefined && name in DEFAULT_POLICY,
  );
  const shipped = { ...DEFAULT_POLICY, ...ownDefaults };
  return policyAtSpeed({ ...shipped, ...(Object.fromEntries(set) as Partial<AgentPolicy>) }, speed);
}

function factsOf(request: RegisterRequest, launch: LaunchRecord | null): InstanceFacts {
  return {
    instanceId: request.instance_id,
    instanceType: request.instance_type,
    zone: request.az,
    region: launch?.region ?? request.region,
    mode: request.mode,
    imageId: request.ami_id,
    accountId: launch?.accountId ?? request.account_id ?? UNKNOWN_ACCOUNT,
    hostname: request.hostname,
    privateIp: request.private_ip,
    publicIp: request.public_ip,
    agentVersion: request.agent_version,
  };
}
