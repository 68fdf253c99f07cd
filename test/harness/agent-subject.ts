/** An agent's reducer under test: messages and updates applied one after the other, as the workflow does. */
import type { AgentPublication, CutOverResult, InstanceSighting } from '../../contracts/activities';
import type {
  ChildReport,
  HibernationResult,
  InstanceFacts,
  Registration,
  ResumptionOutcome,
  SwitchRequest,
} from '../../contracts/messages';
import type { ReplicaMode } from '../../contracts/replicas';
import { DEFAULT_POLICY } from '../../contracts/policy-defaults';
import { type AgentState, type Effect, initialState } from '../../workflows/agent-state';
import {
  type AgentEvent,
  onDelete,
  onEvent,
  onHibernate,
  onPromoteReplica,
  onRegister,
  onResume,
  onSetProtected,
  onSetReplicaMode,
  onSwitchRequest,
  type Transition,
} from '../../workflows/agent-transitions';
import { instanceFacts as facts } from './instance-facts';

export const T0 = Date.parse('2026-03-01T12:00:00Z');
export const iso = (ms: number) => new Date(ms).toISOString();

export class Subject {
  state: AgentState = initialState(
    { clientId: 'c1', agentId: 'a1', logicalAgentId: 'web-1' },
    DEFAULT_POLICY,
  );
  nowMs = T0;
  effects: Effect[] = [];
  eventTypes: string[] = [];
  publication: AgentPublication | null = null;

  on(event: AgentEvent, afterMs = 1_000): this {
    this.nowMs += afterMs;
    return this.take(onEvent(this.state, event, this.nowMs));
  }

  /** Lets time pass, and the timers do what is due. */
  after(seconds: number): this {
    return this.on({ kind: 'clock' }, seconds * 1000);
  }

  register(instance: InstanceFacts, launch: Registration['launch'] = null, policy = DEFAULT_POLICY) {
    const transition = onRegister(this.state, { facts: instance, policy, launch }, this.nowMs);
    this.take(transition);
    return transition.answer;
  }

  requestSwitch(over: Partial<SwitchRequest> = {}) {
    const request: SwitchRequest = {
      priority: 'manual',
      targetMode: null,
      targetPool: null,
      terminateWaitSeconds: null,
      requestedBy: 'a test',
      requestId: 'r1',
      ...over,
    };
    const transition = onSwitchRequest(this.state, request, this.nowMs);
    this.take(transition);
    return transition.answer;
  }

  beat(instanceId: string, revision: number, health: 'healthy' | 'unhealthy' = 'healthy'): this {
    const receivedAt = iso(this.nowMs + 1_000);
    const message = { instanceId, revision, health, mode: null, zone: null, receivedAt };
    return this.on({ kind: 'heartbeat', message });
  }

  notice(instanceId: string): this {
    const message = {
      instanceId,
      action: 'terminate' as const,
      actionAt: iso(this.nowMs + 120_000),
      receivedAt: iso(this.nowMs),
    };
    return this.on({ kind: 'terminationNotice', message });
  }

  /** The sweep found the lease over, and EC2 answered. */
  lose(sighting: InstanceSighting, massSilence = false): this {
    const { primary } = this.state;
    if (!primary) throw new Error('there is no primary to lose');
    const { instanceId } = primary;
    const revision = (this.state.leaseRevisions[instanceId] ?? 0) + 1;
    const lastHeartbeatAt = iso(this.nowMs);
    this.on(
      { kind: 'heartbeatLost', message: { instanceId, revision, lastHeartbeatAt, massSilence } },
      90_000,
    );
    return this.on({
      kind: 'instanceSighted',
      facts: primary,
      sighting,
      message: sighting,
      askedRevision: revision,
    });
  }

  goodbye(instanceId: string | null = 'i-1'): this {
    const revision = (this.state.leaseRevisions[instanceId ?? ''] ?? 0) + 1;
    return this.on({ kind: 'goneOffline', message: { instanceId, revision, receivedAt: iso(this.nowMs) } });
  }

  /** What the latest hibernation reports at its end. */
  rested(result: Partial<HibernationResult> & Pick<HibernationResult, 'outcome'>): this {
    const number = this.state.hibernation?.number ?? 0;
    const message = {
      kind: 'hibernationEnded' as const,
      number,
      method: null,
      imageId: null,
      snapshotIds: [],
      message: 'so',
      ...result,
    };
    return this.on({ kind: 'childReport', message });
  }

  report(message: ChildReport): this {
    return this.on({ kind: 'childReport', message });
  }

  hibernate(): this {
    return this.take(onHibernate(this.state, { requestedBy: 'a test' }, this.nowMs));
  }

  resume(): this {
    return this.take(onResume(this.state, { requestedBy: 'a test' }, this.nowMs));
  }

  resumed(outcome: ResumptionOutcome): this {
    const number = this.state.hibernation?.number ?? 0;
    return this.on({
      kind: 'childReport',
      message: { kind: 'resumptionEnded', number, outcome, message: 'so' },
    });
  }

  delete(instances: 'keep' | 'retire' = 'keep'): this {
    return this.take(onDelete(this.state, { requestedBy: 'a test', instances }, this.nowMs));
  }

  protect(isProtected = true): this {
    return this.take(
      onSetProtected(this.state, { protected: isProtected, requestedBy: 'a test' }, this.nowMs),
    );
  }

  /** A heartbeat that says since when the GPU was idle, or (null) that it isn't. */
  idleBeat(idleSinceMs: number | null, afterMs = 1_000): this {
    const { primary } = this.state;
    const instanceId = primary?.instanceId ?? 'i-1';
    const revision = (this.state.leaseRevisions[instanceId] ?? 0) + 1;
    const idleSince = idleSinceMs === null ? null : iso(idleSinceMs);
    const message = {
      instanceId,
      revision,
      health: 'healthy' as const,
      mode: null,
      zone: null,
      idleSince,
      receivedAt: iso(this.nowMs + afterMs),
    };
    return this.on({ kind: 'heartbeat', message }, afterMs);
  }

  /** A switch with a healthy candidate that asks to take over. */
  candidate(instanceId: string, switchNumber = 1): this {
    const launch = { launchId: `launch-${instanceId}`, switchNumber };
    const pool = { instanceType: 'p3.2xlarge', zone: 'us-east-1b', option: 'spot' as const };
    this.on({
      kind: 'childReport',
      message: { kind: 'instanceLaunched', switchNumber, instanceId, pool, launchId: launch.launchId },
    });
    expect(this.register(facts(instanceId, { zone: 'us-east-1b' }), launch)).toMatchObject({
      role: 'candidate',
    });
    return this.beat(instanceId, 1);
  }

  cutOver(instanceId: string, switchNumber = 1): this {
    this.on({ kind: 'childReport', message: { kind: 'cutOverRequested', switchNumber, instanceId } });
    const commit = this.effects.find((effect) => effect.kind === 'commitCutOver');
    if (commit?.kind !== 'commitCutOver') throw new Error('no cut-over was asked of the books');
    return this.on({
      kind: 'cutOverCommitted',
      candidate: commit.candidate,
      result: { committed: true, reason: '' },
    });
  }

  replicaMode(mode: ReplicaMode): this {
    return this.take(onSetReplicaMode(this.state, { mode, requestedBy: 'a test' }, this.nowMs));
  }

  promote(): this {
    const request = { replicaId: null, requestedBy: 'a test' };
    return this.take(onPromoteReplica(this.state, request, this.nowMs));
  }

  /** The living replica launches, registers from `instanceId`, and is heard. */
  replica(instanceId: string, zone = 'us-east-1b'): this {
    const { replicaId } = this.state.replicas.at(-1) ?? { replicaId: 'none' };
    const launchId = `launch-${instanceId}`;
    const pool = { instanceType: 'p3.2xlarge', zone, option: 'spot' as const };
    this.report({ kind: 'replicaLaunched', replicaId, launchId, instanceId, pool });
    const launch = { launchId, switchNumber: null, replicaId };
    expect(this.register(facts(instanceId, { zone }), launch)).toMatchObject({ role: 'replica', replicaId });
    return this.beat(instanceId, 1);
  }

  readyReplica(instanceId = 'i-r', zone = 'us-east-1b'): this {
    this.replica(instanceId, zone);
    const { replicaId } = this.state.replicas.at(-1)!;
    return this.report({ kind: 'replicaReady', replicaId, ready: true, message: 'in sync' });
  }

  /** The books answer to the latest effect that asks them. */
  committed(result: CutOverResult = { committed: true, reason: 'committed' }): this {
    const commit = this.effects.find((effect) => effect.kind === 'commitCutOver');
    if (commit?.kind !== 'commitCutOver') throw new Error('nothing was asked of the books');
    const { candidate, promotion } = commit;
    return this.on({ kind: 'cutOverCommitted', candidate, result, ...(promotion && { promotion }) });
  }

  /** The kinds of effects but for questions to EC2, which a silent agent is asked after again and again. */
  acts(): string[] {
    return this.kinds().filter((kind) => kind !== 'lookUpInstance');
  }

  kinds(): string[] {
    return this.effects.map((effect) => effect.kind);
  }

  take(transition: Pick<Transition<unknown>, 'state' | 'effects' | 'publication'>): this {
    this.state = transition.state;
    this.effects = transition.effects;
    this.publication = transition.publication;
    this.eventTypes = transition.publication?.events.map((event) => event.eventType) ?? [];
    return this;
  }
}

/** An agent on `i-1` that was heard once. */
export function running(): Subject {
  const subject = new Subject();
  subject.register(facts('i-1'));
  return subject.beat('i-1', 1);
}
