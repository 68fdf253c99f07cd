/**
 * One agent process: registers, then runs its workers until it is stopped or superseded.
 *
 * Identity comes from the metadata service. A state file that names another instance was copied with an image, and
 * nothing in it is trusted.
 */
import type { HeartbeatReply } from '../contracts/http';
import type { Log } from './log';
import type { Identity, Metadata } from './metadata';
import { type Refusal, ServerClient } from './server-client';
import type { AgentSettings } from './settings';
import type { AgentMemory, StateFile } from './state-file';
import { runWorker } from './worker-loop';
import { heartbeatRound } from './workers/heartbeat';
import { rebalanceCheckRound } from './workers/rebalance-check';
import { terminationCheckRound } from './workers/termination-check';

/** Why the process may end: `superseded` is for good, `registration` wants a new start with a new registration. */
export type Ending = 'stopped' | 'superseded' | 'registration';

export class Agent {
  readonly server: ServerClient;
  private readonly stop = new AbortController();
  private ending: Ending = 'stopped';
  /** What the server asks for; its first reply says it. */
  private heartbeatSeconds = 30;

  constructor(
    readonly memory: AgentMemory,
    readonly identity: Identity,
    readonly metadata: Metadata,
    readonly log: Log,
    private readonly settings: AgentSettings,
    private readonly stateFile: StateFile,
  ) {
    this.server = new ServerClient(settings.serverUrl);
  }

  async run(): Promise<Ending> {
    const { terminationCheckSeconds, rebalanceCheckSeconds } = this.settings;
    const { signal } = this.stop;
    const noticeRound = terminationCheckRound(this, terminationCheckSeconds);
    // A market that runs faster than time gives less notice; its heartbeats are closer together as well.
    const soonEnough = async () => Math.min(await noticeRound(), this.heartbeatSeconds);
    await Promise.all([
      runWorker('heartbeat', heartbeatRound(this), this.log, signal),
      runWorker('termination check', soonEnough, this.log, signal),
      runWorker('rebalance check', rebalanceCheckRound(this, rebalanceCheckSeconds), this.log, signal),
    ]);
    return this.ending;
  }

  /** Ends the workers, and with them `run()`. */
  end(ending: Ending): void {
    if (this.stop.signal.aborted) return;
    this.ending = ending;
    this.stop.abort();
  }

  heartbeatAcknowledged(reply: HeartbeatReply): void {
    this.heartbeatSeconds = reply.next_heartbeat_in_seconds;
    const standDown = reply.actions.find((action) => action.type === 'stand_down');
    if (standDown) return this.standDown(standDown.message);
    if (reply.incarnation === this.memory.incarnation) return;
    this.memory.incarnation = reply.incarnation;
    this.memory.last_heartbeat = new Date().toISOString();
    this.stateFile.write(this.memory);
  }

  /** @returns seconds after which to try again. */
  refused(refusal: Refusal): number {
    this.log('warn', refusal.message, { status: refusal.status, code: refusal.code });
    if (refusal.code === 'stand_down') this.standDown(refusal.message);
    else if (refusal.status === 401 || refusal.code === 'register_again') this.end('registration');
    return refusal.retryAfterSeconds ?? this.heartbeatSeconds;
  }

  /** Another instance is the agent now: this one does nothing any more, over its restarts as well. */
  private standDown(reason: string): void {
    this.memory.stood_down_at = new Date().toISOString();
    this.stateFile.write(this.memory);
    this.log('warn', `Standing down: ${reason}`);
    this.end('superseded');
  }

  /** The last word of a clean shutdown. A server that can't hear it notices the silence later. */
  async sayGoodbye(): Promise<void> {
    const { memory, identity } = this;
    try {
      await this.server.heartbeat(memory.agent_id, memory.agent_token, 'offline', identity, 5_000);
      this.log('info', 'The server knows that this agent is offline');
    } catch (error) {
      this.log('warn', `The goodbye could not be delivered: ${(error as Error).message}`);
    }
  }
}
