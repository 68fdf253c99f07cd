/** One move of an agent, as a saga: choose pools, launch in the first that has room, wait for a healthy candidate, ask
 * the agent to cut over to it. A launch that comes to nothing is given up, which retires it, before the next is tried;
 * so make comes before break, and nothing that was started is forgotten. */
import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  condition,
  defineQuery,
  defineSignal,
  log,
  setHandler,
  uuid4,
} from '@temporalio/workflow';
import type { LaunchResult } from '../contracts/activities';
import { failureTypes } from '../contracts/activities';
import type { ChildReport, SwitchInput, SwitchOutcome, SwitchStateView } from '../contracts/messages';
import { queryNames, signalNames } from '../contracts/messages';
import { A_FEW_TRIES, ec2Activities, noWorkerSentence, noWorkerTookIt } from './activity-options';
import { reportToAgent, whenCancelled } from './child-reports';
import {
  type Checked,
  checkCancel,
  checkCandidateRegistered,
  checkCutOverDecided,
  checkSwitchNotice,
} from './message-checks';
import { type Attempt, describePool, SwitchState } from './switch-state';

export const switchStateQuery = defineQuery<SwitchStateView>(queryNames.switchState);

/** How long the agent's workflow may take to commit or refuse a cut-over until it is asked again. */
const CUT_OVER_ANSWER = '1 min';

export async function switchWorkflow(input: SwitchInput): Promise<SwitchStateView> {
  const state = new SwitchState(input);
  const { accountId, region } = input.from;
  // What goes on failing is given up: the next pool, or the next switch, may fare better.
  const ec2 = ec2Activities(accountId, region, A_FEW_TRIES);
  const { switchNumber, policy } = input;
  const deadlineMs = Date.now() + policy.switchDeadlineSeconds * 1000;

  function onSignal<T>(
    name: string,
    check: (message: unknown) => Checked<T>,
    take: (message: T) => void,
  ): void {
    setHandler(defineSignal<[unknown]>(name), (message: unknown) => {
      const checked = check(message);
      if (checked.ok) take(checked.message);
      else state.rejectedMessages.push(`${name}: ${checked.reason}`);
    });
  }
  onSignal(signalNames.candidateRegistered, checkCandidateRegistered, (message) =>
    state.candidateRegistered(message),
  );
  onSignal(signalNames.cutOverDecided, checkCutOverDecided, (message) => state.cutOverDecided(message));
  onSignal(signalNames.notice, checkSwitchNotice, (message) => state.notice(message));
  onSignal(signalNames.cancel, checkCancel, (reason) => state.cancel(reason));
  setHandler(switchStateQuery, () => state.view());
  whenCancelled(() => state.cancel('its workflow was cancelled'));

  const report = (message: ChildReport) => reportToAgent(input.agentId, message);

  /** Waits out a time without workers, which says nothing about the step itself, as long as the switch has time. */
  async function served<T>(step: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await step();
      } catch (error) {
        if (!noWorkerTookIt(error)) throw error;
        const message = noWorkerSentence(accountId, region);
        await report({ kind: 'needsOperator', message, instanceId: null });
        if (state.cancelReason === null && Date.now() < deadlineMs) continue;
        throw ApplicationFailure.create({ message: state.cancelReason ?? message });
      }
    }
  }

  async function run(): Promise<[SwitchOutcome, string]> {
    const { from } = input;
    for (;;) {
      const pool = await nextPool();
      if (state.cancelReason !== null) return ['cancelled', state.cancelReason];
      if (Date.now() >= deadlineMs)
        return ['failed', `it took longer than ${policy.switchDeadlineSeconds} s`];
      if (pool === null) {
        const tried = state.attempts.map((one) => `${describePool(one.pool)}: ${one.result}`).join('; ');
        return ['failed', `no pool worked (${tried || 'none fits the request'})`];
      }
      const attempt = state.begin(pool.pool, uuid4());
      const refusal = await tryPool(attempt, pool.imageId);
      if (refusal === null) {
        return [
          'completed',
          `${attempt.instanceId} (${describePool(pool.pool)}) took over from ${from.instanceId}`,
        ];
      }
      attempt.result = refusal;
    }
  }

  /** The next of the plan; when the switch has become an emergency, of a new plan without the person's wishes. */
  async function nextPool() {
    const { clientId, agentId, from } = input;
    if (state.needsPlan) {
      const wishes = state.plannedFor === null ? input : { targetMode: null, targetPool: null };
      const { targetMode, targetPool } = wishes;
      const { priority } = state;
      const plan = await served(() =>
        ec2.planSwitch({ clientId, agentId, from, priority, targetMode, targetPool }),
      );
      state.takePlan({ ...plan, imageId: input.imageId ?? plan.imageId }, priority);
    }
    const pool = state.untried();
    return pool && { pool, imageId: state.imageId };
  }

  /** Null when the agent now runs on this attempt's instance, else why not; then nothing of the attempt is left. */
  async function tryPool(attempt: Attempt, imageId: string): Promise<string | null> {
    const { pool, launchId } = attempt;
    let launched: LaunchResult;
    try {
      launched = await served(() => ec2.launchInstance(launchOf(attempt, imageId)));
    } catch (error) {
      const message = reasonOf(error);
      await report({
        kind: 'launchAbandoned',
        switchNumber,
        launchId,
        instanceId: await leftOver(launchId),
        message,
      });
      if (isForbidden(error)) throw error;
      return message;
    }
    if (launched.outcome === 'no_capacity') {
      await report({ kind: 'poolRefused', switchNumber, pool, message: launched.message });
      return launched.message;
    }
    const { instanceId } = launched;
    attempt.instanceId = instanceId;
    attempt.result = 'waiting for its agent';
    state.phase = 'awaiting_candidate';
    await report({ kind: 'instanceLaunched', switchNumber, launchId, instanceId, pool });
    const failure = (await healthInTime(attempt)) ?? (await cutOver(instanceId));
    if (failure === null) {
      attempt.result = 'took over';
      return null;
    }
    await report({ kind: 'launchAbandoned', switchNumber, launchId, instanceId, message: failure });
    return failure;
  }

  /** What a launch left whose answer nobody heard. */
  async function leftOver(launchId: string): Promise<string | null> {
    try {
      return (await served(() => ec2.findLaunch({ launchId, accountId, region }))).instanceId;
    } catch (error) {
      log.warn('what came of a launch is unknown', { launchId, error: String(error) });
      return null;
    }
  }

  async function healthInTime(attempt: Attempt): Promise<string | null> {
    const seconds = Math.min(policy.candidateDeadlineSeconds, (deadlineMs - Date.now()) / 1000);
    const settled = () => state.healthyCandidate(attempt) !== null || state.lost(attempt) !== null;
    const inTime = await condition(settled, Math.max(1, seconds * 1000));
    return (
      state.lost(attempt) ??
      (inTime ? null : `no healthy agent registered from it within ${Math.round(seconds)} s`)
    );
  }

  async function cutOver(instanceId: string): Promise<string | null> {
    state.phase = 'cutting_over';
    // Once asked, only the agent can say: giving up a candidate that became the primary would take it down.
    do {
      await report({ kind: 'cutOverRequested', switchNumber, instanceId });
    } while (!(await condition(() => state.decision(instanceId) !== null, CUT_OVER_ANSWER)));
    const decision = state.decision(instanceId);
    return decision?.committed ? null : `the cut-over was refused: ${decision?.reason}`;
  }

  function launchOf({ pool, launchId }: Attempt, imageId: string) {
    const { clientId, agentId, logicalAgentId, fromIncarnation } = input;
    return {
      clientId,
      agentId,
      logicalAgentId,
      accountId,
      region,
      switchNumber,
      attempt: state.attempts.length,
      toIncarnation: fromIncarnation + 1,
      launchId,
      pool,
      imageId,
    };
  }

  return CancellationScope.nonCancellable(async () => {
    let ended: [SwitchOutcome, string];
    try {
      ended = await run();
    } catch (error) {
      if (!(error instanceof ActivityFailure || error instanceof ApplicationFailure)) throw error;
      ended = [state.cancelReason === null ? 'failed' : 'cancelled', reasonOf(error)];
    }
    const [outcome, message] = ended;
    state.end(outcome, message);
    await report({ kind: 'switchEnded', switchNumber, outcome, message });
    return state.view();
  });
}

/** The same credentials would be refused in every pool. */
function isForbidden(error: unknown): boolean {
  return (
    error instanceof ActivityFailure &&
    error.cause instanceof ApplicationFailure &&
    error.cause.type === failureTypes.notPermitted
  );
}

/** The sentence of the activity's own failure, without the wrappers. */
function reasonOf(error: unknown): string {
  if (error instanceof ActivityFailure) return reasonOf(error.cause ?? error.message);
  if (error instanceof ApplicationFailure) return error.message;
  return error instanceof Error ? error.message : String(error);
}
