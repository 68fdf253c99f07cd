/** The server's API, as far as the agent uses it. Every call ends in one of a few outcomes, named by what to do next. */
import type { HeartbeatReply, RegisterReply } from '../contracts/http';
import type { SyncStatusReply } from '../contracts/replica-http';
import { httpRequest, type HttpReply } from './http-request';
import { reasonOf } from './log';
import type { InstanceIdentity } from './metadata';

export type Outcome<T> =
  | { next: 'go_on'; reply: T }
  /** Another instance is the agent, or this one was never wanted. */
  | { next: 'stand_down'; message: string }
  | Refusal;

export interface Refusal {
  /**
   * `register_again`: the server doesn't know this instance (any more). `try_later`: it is away, busy, or doesn't want
   * this yet.
   */
  next: 'register_again' | 'try_later';
  reason: string;
  /** What the server asks for; 0 if it doesn't. */
  retryAfterMs: number;
}

const TIMEOUT_MS = 10_000;
/** A registration is answered by a workflow, through a worker. */
const REGISTER_TIMEOUT_MS = 20_000;

/** Statuses that say the token or the agent isn't known any more. */
const UNKNOWN_TO_SERVER = new Set([401, 403, 404]);
/** A person deleted the agent: registering by itself would bring it back. */
const DELETED = 410;

export class ServerClient {
  readonly #base: string;

  constructor(serverUrl: string) {
    this.#base = serverUrl;
  }

  register(
    credential: string,
    logicalAgentId: string,
    identity: InstanceIdentity,
    agentVersion: string,
    signal: AbortSignal,
  ): Promise<Outcome<RegisterReply>> {
    const body = {
      logical_agent_id: logicalAgentId,
      instance_id: identity.instanceId,
      instance_type: identity.instanceType,
      region: identity.region,
      az: identity.zone,
      ami_id: identity.imageId,
      mode: identity.mode,
      hostname: identity.hostname,
      private_ip: identity.privateIp,
      public_ip: identity.publicIp,
      agent_version: agentVersion,
      account_id: identity.accountId,
    };
    return this.#post('register', credential, body, REGISTER_TIMEOUT_MS, signal, isRegisterReply);
  }

  heartbeat(
    agent: { id: string; token: string },
    status: 'online' | 'offline',
    identity: InstanceIdentity,
    signal: AbortSignal,
    timeoutMs = TIMEOUT_MS,
  ): Promise<Outcome<HeartbeatReply>> {
    const body = {
      status,
      instance_id: identity.instanceId,
      instance_type: identity.instanceType,
      mode: identity.mode,
      az: identity.zone,
      health: 'healthy',
    };
    return this.#post(`${agent.id}/heartbeat`, agent.token, body, timeoutMs, signal, isHeartbeatReply);
  }

  terminationImminent(
    agent: { id: string; token: string },
    body: { instance_id: string; action: string; time: string },
    signal: AbortSignal,
  ): Promise<Outcome<unknown>> {
    return this.#post(`${agent.id}/termination-imminent`, agent.token, body, TIMEOUT_MS, signal, anything);
  }

  rebalanceRecommendation(
    agent: { id: string; token: string },
    body: { instance_id: string; notice_time: string },
    signal: AbortSignal,
  ): Promise<Outcome<unknown>> {
    return this.#post(
      `${agent.id}/rebalance-recommendation`,
      agent.token,
      body,
      TIMEOUT_MS,
      signal,
      anything,
    );
  }

  syncStatus(
    agent: { id: string; token: string },
    replicaId: string,
    body: {
      sync_status: string;
      sync_latency_ms: number;
      state_transfer_progress: number;
      source_incarnation: number | null;
    },
    signal: AbortSignal,
  ): Promise<Outcome<SyncStatusReply>> {
    const path = `${agent.id}/replicas/${replicaId}/sync-status`;
    return this.#post(path, agent.token, body, TIMEOUT_MS, signal, isSyncStatusReply);
  }

  /** Answered at once when something has become of the replica, else after the wait. */
  standing(
    agent: { id: string; token: string },
    replicaId: string,
    waitSeconds: number,
    signal: AbortSignal,
  ): Promise<Outcome<SyncStatusReply>> {
    const path = `${agent.id}/replicas/${replicaId}/standing?wait_seconds=${waitSeconds}`;
    const timeoutMs = waitSeconds * 1000 + TIMEOUT_MS;
    return this.#call('GET', path, agent.token, undefined, timeoutMs, signal, isSyncStatusReply);
  }

  #post<T>(
    path: string,
    token: string,
    body: unknown,
    timeoutMs: number,
    signal: AbortSignal,
    isReply: (value: unknown) => value is T,
  ): Promise<Outcome<T>> {
    return this.#call('POST', path, token, body, timeoutMs, signal, isReply);
  }

  async #call<T>(
    method: 'GET' | 'POST',
    path: string,
    token: string,
    body: unknown,
    timeoutMs: number,
    signal: AbortSignal,
    isReply: (value: unknown) => value is T,
  ): Promise<Outcome<T>> {
    let reply: HttpReply;
    try {
      reply = await httpRequest(`${this.#base}/api/agents/${path}`, {
        method,
        headers: {
          Authorization: `Bearer ${token}`,
          ...(body !== undefined && { 'Content-Type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        timeoutMs,
        signal,
      });
    } catch (error) {
      return { next: 'try_later', reason: reasonOf(error), retryAfterMs: 0 };
    }
    const content = parse(reply.text);
    if (reply.status >= 200 && reply.status < 300) {
      if (isReply(content)) return { next: 'go_on', reply: content };
      return { next: 'try_later', reason: 'the reply is not one of the server', retryAfterMs: 0 };
    }
    return refusal(reply, content);
  }
}

function refusal(reply: HttpReply, content: unknown): Outcome<never> {
  const problem = (typeof content === 'object' && content !== null ? content : {}) as {
    code?: unknown;
    detail?: unknown;
  };
  const reason = typeof problem.detail === 'string' ? problem.detail : `the server answered ${reply.status}`;
  const code = reply.status === 409 ? problem.code : null;
  if (code === 'stand_down' || code === 'unknown_launch' || reply.status === DELETED) {
    return { next: 'stand_down', message: reason };
  }
  const seconds = Number(reply.headers['retry-after'] ?? 0);
  const retryAfterMs = seconds > 0 && seconds <= 3600 ? seconds * 1000 : 0;
  const unknown = code === 'register_again' || UNKNOWN_TO_SERVER.has(reply.status);
  return { next: unknown ? 'register_again' : 'try_later', reason, retryAfterMs };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A proxy's error page, for example; the status says the rest.
    return null;
  }
}

function isRegisterReply(value: unknown): value is RegisterReply {
  const reply = value as Partial<RegisterReply> | null;
  return typeof reply?.agent_id === 'string' && typeof reply.agent_token === 'string';
}

function isHeartbeatReply(value: unknown): value is HeartbeatReply {
  const reply = value as Partial<HeartbeatReply> | null;
  return typeof reply?.next_heartbeat_in_seconds === 'number' && Array.isArray(reply.actions);
}

function isSyncStatusReply(value: unknown): value is SyncStatusReply {
  const reply = value as Partial<SyncStatusReply> | null;
  return typeof reply?.role === 'string' && typeof reply.incarnation === 'number';
}

function anything(value: unknown): value is unknown {
  return value !== undefined;
}
