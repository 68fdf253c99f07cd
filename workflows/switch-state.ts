/**
 * What one switch knows: how far it is, what it has tried, and what it was told.
 *
 * States: choosing → launching → awaiting_candidate → cutting_over → ended, and back to launching with the next pool
 * whenever a launch or its candidate comes to nothing.
 */
import type { SwitchPlan } from '../contracts/activities';
import type {
  CandidateRegistered,
  CutOverDecided,
  SwitchInput,
  SwitchNotice,
  SwitchOutcome,
  SwitchStateView,
} from '../contracts/messages';
import { type Pool, poolId } from '../contracts/states';

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
  readonly rejectedMessages: string[] = [];
  /** Which priority the plan was made for; null before there is one. */
  plannedFor: SwitchInput['priority'] | null = null;
  imageId = '';
  private plan: Pool[] = [];
  private readonly candidates = new Map<string, CandidateRegistered>();
  private readonly noticed = new Map<string, string>();
  private readonly decisions = new Map<string, CutOverDecided>();
  priority: SwitchInput['priority'];

  constructor(input: SwitchInput) {
    this.priority = input.priority;
  }

  /** A plan made for a person's wishes is no plan for an emergency. */
  get needsPlan(): boolean {
    return this.plannedFor !== this.priority;
  }

  takePlan({ pools, imageId }: SwitchPlan, priority: SwitchInput['priority']): void {
    this.plan = pools;
    this.imageId = imageId;
    this.plannedFor = priority;
  }

  /** The first pool of the plan that no attempt was made in; null when there is none. */
  untried(): Pool | null {
    const tried = new Set(this.attempts.map((attempt) => poolId(attempt.pool)));
    return this.plan.find((pool) => !tried.has(poolId(pool))) ?? null;
  }

  /** The first reason counts. */
  cancel(reason: string): void {
    this.cancelReason ??= reason;
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
    const { phase, priority, attempts, outcome, message, rejectedMessages } = this;
    return { phase, priority, attempts, outcome, message, rejectedMessages: rejectedMessages.slice(-10) };
  }
}

export function describePool(pool: Pool): string {
  return `${pool.option} ${pool.instanceType} in ${pool.zone}`;
}
