/**
 * One replica, from its launch to its promotion or end. It launches in the first pool that has room, waits for its agent,
 * and passes on whether it is in sync. Its machine is its agent's to retire, whatever it reports.
 */
import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  setHandler,
  uuid4,
} from '@temporalio/workflow';
import { queryNames, signalNames } from '../contracts/messages';
import type { ReplicaInput, ReplicaOutcome, ReplicaReport, ReplicaStateView } from '../contracts/replicas';
import { A_FEW_TRIES, ec2Activities, noWorkerSentence, noWorkerTookIt } from './activity-options';
import { reportToAgent, whenCancelled } from './child-reports';
import { type Checked, checkReason, checkReplicaRegistered, checkSyncStatus } from './message-checks';
import { type CarriedReplica, type ReplicaAttempt, ReplicaState } from './replica-state';
import { isLongRun } from './run-length';

export const replicaStateQuery = defineQuery<ReplicaStateView>(queryNames.replicaState);

/** A replica whose sync comes and goes has a long story; a run this long goes on in a new one. */
const HISTORY_LIMIT_EVENTS = 4_000;

export async function replicaWorkflow(input: ReplicaInput): Promise<ReplicaStateView> {
  const { clientId, agentId, logicalAgentId, replicaId, primary, policy, toIncarnation } = input;
  const { accountId, region } = primary;
  const state = new ReplicaState(input.carried as CarriedReplica | undefined);
  const ec2 = ec2Activities(accountId, region, A_FEW_TRIES);

  function onSignal<T>(
    name: string,
    check: (message: unknown) => Checked<T>,
    take: (message: T) => void,
  ): void {
    setHandler(defineSignal<[unknown]>(name), (message: unknown) => {
      const checked = check(message);
      if (checked.ok) take(checked.message);
      else state.reject(`${name}: ${checked.reason}`);
    });
  }
  onSignal(signalNames.candidateRegistered, checkReplicaRegistered, (message) => state.registered(message));
  onSignal(signalNames.syncStatus, checkSyncStatus, (message) => state.synced(message));
  onSignal(signalNames.promoted, checkReason, (reason) => state.end('promoted', reason));
  onSignal(signalNames.terminate, checkReason, (reason) => state.end('terminated', reason));
  setHandler(replicaStateQuery, () => state.view());
  whenCancelled(() => state.end('terminated', 'its workflow was cancelled'));

  const report = (message: ReplicaReport) => reportToAgent(agentId, message);

  async function launch(): Promise<void> {
    const plan = await ec2.planReplica({
      clientId,
      agentId,
      primary,
      alternativeInstanceTypes: policy.alternativeInstanceTypes,
    });
    for (const pool of plan.pools) {
      if (state.ending) return;
      const attempt = state.begin(pool, uuid4());
      const failure = await tryPool(attempt, plan.imageId);
      if (failure === null) return;
      attempt.result = failure;
    }
    const tried = state.attempts.map(
      ({ pool, result }) => `${pool.option} ${pool.instanceType} in ${pool.zone}: ${result}`,
    );
    state.end('failed', `no pool worked (${tried.join('; ') || 'there is none'})`);
  }

  /** Null once the attempt's instance is the replica, else why not. */
  async function tryPool(attempt: ReplicaAttempt, imageId: string): Promise<string | null> {
    const { pool, launchId } = attempt;
    const ids = { clientId, agentId, logicalAgentId, accountId, region };
    try {
      const launched = await ec2.launchInstance({
        ...ids,
        switchNumber: null,
        replicaId,
        attempt: state.attempts.length,
        toIncarnation,
        launchId,
        pool,
        imageId,
      });
      if (launched.outcome === 'no_capacity') {
        await report({ kind: 'replicaRefused', replicaId, pool, message: launched.message });
        return launched.message;
      }
      attempt.instanceId = launched.instanceId;
    } catch (error) {
      if (!(error instanceof ActivityFailure)) throw error;
      // What came of it is on the books as an open intent, by which it is found.
      const { instanceId } = await ec2.findLaunch({ launchId, accountId, region });
      const message = error.cause?.message ?? error.message;
      await report({ kind: 'replicaAbandoned', replicaId, launchId, instanceId, message });
      throw error;
    }
    const { instanceId } = attempt;
    await report({ kind: 'replicaLaunched', replicaId, launchId, instanceId, pool });
    state.phase = 'awaiting_agent';
    const settled = () => state.ending || state.hasRegistered(launchId);
    if (await condition(settled, policy.candidateDeadlineSeconds * 1000)) return null;
    const message = `no agent registered from it within ${policy.candidateDeadlineSeconds} s`;
    await report({ kind: 'replicaAbandoned', replicaId, launchId, instanceId, message });
    return message;
  }

  /** Follows the sync until the replica is wanted no more, is promoted, or has been out of sync for too long. */
  async function follow(): Promise<void> {
    while (!state.ending) {
      if (state.toldReady !== state.ready) {
        state.toldReady = state.ready;
        state.phase = state.ready ? 'ready' : 'syncing';
        await report({ kind: 'replicaReady', replicaId, ready: state.ready, message: state.syncMessage });
        continue;
      }
      if (mayContinueAsNew())
        await continueAsNew<typeof replicaWorkflow>({ ...input, carried: state.carry() });
      const changed = () => state.ending || state.toldReady !== state.ready || mayContinueAsNew();
      if (state.ready) {
        await condition(changed);
      } else if (!(await condition(changed, policy.replicaSyncDeadlineSeconds * 1000))) {
        state.end('failed', `it was not in sync for ${policy.replicaSyncDeadlineSeconds} s`);
      }
    }
  }

  function mayContinueAsNew(): boolean {
    return isLongRun(input.historyLimitEvents ?? HISTORY_LIMIT_EVENTS);
  }

  return CancellationScope.nonCancellable(async () => {
    try {
      if (!state.launched) await launch();
      await follow();
    } catch (error) {
      if (!(error instanceof ActivityFailure || error instanceof ApplicationFailure)) throw error;
      const message = noWorkerTookIt(error)
        ? noWorkerSentence(accountId, region)
        : (error.cause?.message ?? error.message);
      state.end('failed', message);
    }
    const outcome: ReplicaOutcome = state.outcome ?? 'failed';
    state.phase = 'ended';
    await report({ kind: 'replicaEnded', replicaId, outcome, message: state.message });
    return state.view();
  });
}
