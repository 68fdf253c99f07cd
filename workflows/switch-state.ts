/**
 * What one switch knows: how far it is, what it has tried, and what it was told.
 *
 * States: choosing → launching → awaiting_candidate → cutting_over → ended, and back to launching with the next pool
 * whenever a launch or its candidate comes to nothing.
 */
import type {
  CandidateRegistered,
  CutOverDecided,
  SwitchInput,
  SwitchNotice,
  SwitchOutcome,
  SwitchStateView,
} from '../contracts/messages';
import type { Pool } from '../contracts/states';

export interface Attempt {
  pool: Pool;
  launchId: string;
  instanceId: string | null;
  result: string;
}

export class SwitchState {
  phase: SwitchStateView['phase'] = 'choosing';
  outcome: SwitchOutcome | null = null;
  message = '';
  cancelReason: string | null = null;
  readonly attempts: Attempt[] = [];
  private readonly candidates = new Map<string, CandidateRegistered>();
  private readonly noticed = new Map<string, string>();
  private readonly decisions = new Map<string, CutOverDecided>();
  private priority: SwitchInput['priority'];

  constructor(input: SwitchInput) {
    this.priority = input.priority;
  }

  candidateRegistered(message: CandidateRegistered): void {
    this.candidates.set(message.launchId, message);
  }

  notice(message: SwitchNotice): void {
    if (message.role === 'primary') this.priority = 'emergency';
    else this.noticed.set(message.instanceId, message.message);
  }

  cutOverDecided(message: CutOverDecided): void {
    this.decisions.set(message.instanceId, message);
  }

  begin(pool: Pool, launchId: string): Attempt {
    const attempt: Attempt = { pool, launchId, instanceId: null, result: 'launching' };
    this.attempts.push(attempt);
    this.phase = 'launching';
    return attempt;
  }

  /** The attempt's instance once it has registered and is healthy. */
  healthyCandidate(attempt: Attempt): string | null {
    const candidate = this.candidates.get(attempt.launchId);
    return candidate?.healthy ? candidate.instanceId : null;
  }

  /** Why waiting for the attempt makes no sense any more, or null. */
  lost(attempt: Attempt): string | null {
    if (this.cancelReason !== null) return this.cancelReason;
    const instanceId = attempt.instanceId ?? this.candidates.get(attempt.launchId)?.instanceId;
    return (instanceId && this.noticed.get(instanceId)) ?? null;
  }

  decision(instanceId: string): CutOverDecided | null {
    return this.decisions.get(instanceId) ?? null;
  }

  end(outcome: SwitchOutcome, message: string): void {
    this.phase = 'ended';
    this.outcome = outcome;
    this.message = message;
  }

  view(): SwitchStateView {
    const { phase, priority, attempts, outcome, message } = this;
    return { phase, priority, attempts, outcome, message };
  }
}

export function describePool(pool: Pool): string {
  return `${pool.option} ${pool.instanceType} in ${pool.zone}`;
}
