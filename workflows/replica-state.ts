/** What one replica's workflow knows: what it has tried, whether it is in sync, and what is to become of it. */
import type {
  ReplicaOutcome,
  ReplicaRegistered,
  ReplicaStateView,
  SyncStatusNews,
} from '../contracts/replicas';
import type { Pool } from '../contracts/states';

export interface ReplicaAttempt {
  pool: Pool;
  launchId: string;
  instanceId: string;
  result: string;
}

/** Plain JSON, taken over a continue-as-new. */
export interface CarriedReplica {
  attempts: ReplicaAttempt[];
  instanceId: string | null;
  ready: boolean;
  toldReady: boolean | null;
  syncRevision: number;
  syncMessage: string;
}

export class ReplicaState {
  phase: ReplicaStateView['phase'] = 'choosing';
  outcome: ReplicaOutcome | null = null;
  message = '';
  readonly attempts: ReplicaAttempt[] = [];
  ready = false;
  /** What the agent was told; null: nothing yet. */
  toldReady: boolean | null = false;
  syncMessage = 'its agent has not reported yet';
  #syncRevision = 0;
  /** The instance that is the replica, once its agent has registered. */
  #instanceId: string | null = null;
  readonly #registered = new Map<string, string>();
  readonly #rejected: string[] = [];

  constructor(carried?: CarriedReplica) {
    if (!carried) return;
    this.attempts.push(...carried.attempts);
    this.#instanceId = carried.instanceId;
    this.ready = carried.ready;
    this.toldReady = carried.toldReady;
    this.#syncRevision = carried.syncRevision;
    this.syncMessage = carried.syncMessage;
    this.phase = carried.ready ? 'ready' : 'syncing';
  }

  carry(): CarriedReplica {
    const { attempts, ready, toldReady, syncMessage } = this;
    return {
      attempts,
      instanceId: this.#instanceId,
      ready,
      toldReady,
      syncRevision: this.#syncRevision,
      syncMessage,
    };
  }

  get launched(): boolean {
    return this.#instanceId !== null;
  }

  get ending(): boolean {
    return this.outcome !== null;
  }

  /** What was decided first counts, but a promotion is a fact. */
  end(outcome: ReplicaOutcome, message: string): void {
    if (this.outcome !== null && outcome !== 'promoted') return;
    this.outcome = outcome;
    this.message = message;
  }

  begin(pool: Pool, launchId: string): ReplicaAttempt {
    const attempt = { pool, launchId, instanceId: '', result: 'launching' };
    this.attempts.push(attempt);
    this.phase = 'launching';
    return attempt;
  }

  registered({ instanceId, launchId }: ReplicaRegistered): void {
    this.#registered.set(launchId, instanceId);
  }

  hasRegistered(launchId: string): boolean {
    const instanceId = this.#registered.get(launchId);
    if (instanceId === undefined) return false;
    this.#instanceId = instanceId;
    this.phase = 'syncing';
    return true;
  }

  synced({ revision, ready, message }: SyncStatusNews): void {
    if (revision <= this.#syncRevision) return;
    this.#syncRevision = revision;
    this.ready = ready;
    this.syncMessage = message;
  }

  reject(reason: string): void {
    this.#rejected.push(reason);
    if (this.#rejected.length > 10) this.#rejected.shift();
  }

  view(): ReplicaStateView {
    const { phase, outcome, message } = this;
    const attempts = this.attempts.map((one) => ({ ...one, instanceId: one.instanceId || null }));
    return { phase, attempts, outcome, message, rejectedMessages: [...this.#rejected] };
  }
}
