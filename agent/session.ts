/**
 * Who this process is for the server, shared by its workers.
 *
 * States: unregistered → registered → stood down. Only the heartbeat worker registers anew; a session that has stood
 * down never acts again, in this process or the next on the same instance.
 */
import type { Log } from './log';
import type { InstanceIdentity } from './metadata';
import type { Outcome, Refusal, ServerClient } from './server-client';
import type { LocalSettings, ServerSettings } from './settings';
import type { AgentStateFile, StateFile } from './state-file';
import { AGENT_VERSION } from './version';
import { Backoff, pause } from './waiting';

/** Thrown through the workers to end them all. */
export class StoodDown extends Error {
  override name = 'StoodDown';
}

export interface SessionParts {
  local: LocalSettings;
  settings: ServerSettings;
  identity: InstanceIdentity;
  server: ServerClient;
  stateFile: StateFile;
  log: Log;
}

export class Session {
  readonly parts: SessionParts;
  #state: AgentStateFile | null;
  intervalSeconds: number;

  /** @param remembered the state of an earlier process on this same instance, or null. */
  constructor(parts: SessionParts, remembered: AgentStateFile | null) {
    this.parts = parts;
    this.#state = remembered;
    this.intervalSeconds = parts.local.heartbeatIntervalSeconds;
  }

  /** Null until it has registered once. */
  get agent(): { id: string; token: string } | null {
    return this.#state && { id: this.#state.agent_id, token: this.#state.agent_token };
  }

  get role(): string {
    return this.#state?.role ?? 'unknown';
  }

  /** Null unless this instance is a replica. */
  get replicaId(): string | null {
    return this.role === 'replica' ? (this.#state?.replica_id ?? null) : null;
  }

  /** The replica is the agent from now on. */
  promoted(incarnation: number): void {
    if (this.role === 'primary') return;
    this.parts.log.info(`Promoted: this instance is the agent now, incarnation ${incarnation}`);
    this.#save({ role: 'primary', incarnation, replica_id: null });
  }

  /** Tries until the server accepts this instance or the signal aborts. @throws StoodDown */
  async register(signal: AbortSignal): Promise<void> {
    const { server, settings, identity, log } = this.parts;
    const backoff = new Backoff(500, 30_000);
    while (!signal.aborted) {
      const { credential, logicalAgentId } = settings;
      const outcome = await server.register(credential, logicalAgentId, identity, AGENT_VERSION, signal);
      if (signal.aborted) return;
      switch (outcome.next) {
        case 'go_on':
          return this.#registered(outcome.reply);
        case 'stand_down':
          return this.standDown(outcome.message);
        case 'register_again':
        case 'try_later': {
          const waitMs = backoff.nextMs(outcome.retryAfterMs);
          log.error(
            `Failed to register agent: ${outcome.reason}. Trying again in ${Math.ceil(waitMs / 1000)} s.`,
          );
          await pause(waitMs, signal);
        }
      }
    }
  }

  heartbeatSent(reply: { incarnation: number; role: string; config_revision: number }): void {
    const { incarnation, role, config_revision } = reply;
    if (this.role === 'replica' && role === 'primary') this.promoted(incarnation);
    this.#save({ incarnation, role, config_revision, last_heartbeat: new Date().toISOString() });
  }

  /** Writes it down first: whatever happens next, this instance doesn't act again. */
  standDown(message: string): never {
    const { identity, settings } = this.parts;
    this.#state ??= stateOf(settings, identity, { agent_id: 'unknown', agent_token: 'none', incarnation: 0 });
    this.#save({ role: 'superseded', stood_down: { at: new Date().toISOString(), message } });
    throw new StoodDown(message);
  }

  #registered(reply: {
    agent_id: string;
    agent_token: string;
    incarnation: number;
    role: string;
    replica_id?: string | null;
    heartbeat_interval_seconds: number;
    config_revision: number;
  }): void {
    const { identity, settings, log } = this.parts;
    this.intervalSeconds = reply.heartbeat_interval_seconds;
    const { agent_id, agent_token, incarnation } = reply;
    this.#state = {
      ...stateOf(settings, identity, { agent_id, agent_token, incarnation }),
      role: reply.role,
      replica_id: reply.replica_id ?? null,
      config_revision: reply.config_revision,
    };
    this.#save({});
    log.info(`Agent registered as agent: ${agent_id}`);
    log.info(`It is the agent's ${reply.role}, incarnation ${incarnation}`);
  }

  /** A disk that is full must not silence the agent: what can't be written is remembered until the next time. */
  #save(changes: Partial<AgentStateFile>): void {
    if (!this.#state) return;
    this.#state = { ...this.#state, ...changes };
    try {
      this.parts.stateFile.write(this.#state);
    } catch (error) {
      this.parts.log.error(`The state file could not be written: ${(error as Error).message}`);
    }
  }
}

/** The reply of a call that went well, or how it was refused. @throws StoodDown */
export function replyOrRefusal<T>(
  session: Session,
  outcome: Outcome<T>,
): { reply: T; refusal: null } | { reply: null; refusal: Refusal } {
  switch (outcome.next) {
    case 'go_on':
      return { reply: outcome.reply, refusal: null };
    case 'stand_down':
      return session.standDown(outcome.message);
    case 'register_again':
    case 'try_later':
      return { reply: null, refusal: outcome };
  }
}

function stateOf(
  settings: ServerSettings,
  identity: InstanceIdentity,
  known: Pick<AgentStateFile, 'agent_id' | 'agent_token' | 'incarnation'>,
): AgentStateFile {
  return {
    version: 1,
    agent_id: known.agent_id,
    logical_agent_id: settings.logicalAgentId,
    instance_id: identity.instanceId,
    current_mode: identity.mode,
    server_url: settings.serverUrl,
    last_heartbeat: null,
    last_pricing_report: null,
    replica_mode: 'none',
    auto_switch_enabled: true,
    manual_replica_enabled: false,
    agent_token: known.agent_token,
    incarnation: known.incarnation,
    role: 'unknown',
    config_revision: 1,
    stood_down: null,
  };
}
