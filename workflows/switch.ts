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
  getExternalWorkflowHandle,
  isCancellation,
  log,
  setHandler,
  uuid4,
} from '@temporalio/workflow';
import type { LaunchResult, SwitchPlan } from '../contracts/activities';
import { agentWorkflowId } from '../contracts/ids';
import type {
  CandidateRegistered,
  ChildReport,
  CutOverDecided,
  SwitchCancel,
  SwitchInput,
  SwitchNotice,
  SwitchOutcome,
  SwitchStateView,
} from '../contracts/messages';
import { queryNames, signalNames } from '../contracts/messages';
import { ec2Activities, noWorkerSentence, noWorkerTookIt } from './activity-options';
import { type Attempt, describePool, SwitchState } from './switch-state';

export const candidateRegisteredSignal = defineSignal<[CandidateRegistered]>(signalNames.candidateRegistered);
export const cutOverDecidedSignal = defineSignal<[CutOverDecided]>(signalNames.cutOverDecided);
export const cancelSignal = defineSignal<[SwitchCancel | undefined]>(signalNames.cancel);
export const noticeSignal = defineSignal<[SwitchNotice]>(signalNames.notice);
export const switchStateQuery = defineQuery<SwitchStateView>(queryNames.switchState);

/** How long the agent's workflow may take to commit or refuse a cut-over. */
const CUT_OVER_ANSWER = '1 min';

export async function switchWorkflow(input: SwitchInput): Promise<SwitchStateView> {
  const state = new SwitchState(input);
  const { accountId, region } = input.from;
  const ec2 = ec2Activities(accountId, region);
  const { switchNumber, policy } = input;
  const deadlineMs = Date.now() + policy.switchDeadlineSeconds * 1000;

  setHandler(candidateRegisteredSignal, (message) => state.candidateRegistered(message));
  setHandler(cutOverDecidedSignal, (message) => state.cutOverDecided(message));
  setHandler(noticeSignal, (message) => state.notice(message));
  setHandler(cancelSignal, (message) => {
    state.cancelReason = message?.reason ?? 'a person cancelled the switch';
  });
  setHandler(switchStateQuery, () => state.view());

  async function report(message: ChildReport): Promise<void> {
    try {
      await getExternalWorkflowHandle(agentWorkflowId(input.agentId)).signal(
        signalNames.childReport,
        message,
      );
    } catch (error) {
      if (isCancellation(error)) throw error;
      log.warn('the agent this switch belongs to is not running', { error: String(error) });
    }
  }

  /** Waits out a time without workers, which says nothing about the step itself. */
  async function served<T>(step: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await step();
      } catch (error) {
        if (!noWorkerTookIt(error)) throw error;
        await report({ kind: 'needsOperator', switchNumber, message: noWorkerSentence(accountId, region) });
      }
    }
  }

  async function run(): Promise<[SwitchOutcome, string]> {
    const { clientId, agentId, from, priority, targetMode, targetPool } = input;
    const plan: SwitchPlan = await served(() =>
      ec2.planSwitch({ clientId, agentId, from, priority, targetMode, targetPool }),
    );
    for (const pool of plan.pools) {
      if (state.cancelReason !== null) return ['cancelled', state.cancelReason];
      if (Date.now() >= deadlineMs)
        return ['failed', `it took longer than ${policy.switchDeadlineSeconds} s`];
      const attempt = state.begin(pool, uuid4());
      const refusal = await tryPool(attempt, plan.imageId);
      if (refusal === null)
        return [
          'completed',
          `${attempt.instanceId} (${describePool(pool)}) took over from ${from.instanceId}`,
        ];
      attempt.result = refusal;
    }
    const tried = state.attempts.map((one) => `${describePool(one.pool)}: ${one.result}`).join('; ');
    return state.cancelReason !== null
      ? ['cancelled', state.cancelReason]
      : ['failed', `no pool worked (${tried || 'none fits the request'})`];
  }

  /** Null when the agent now runs on this attempt's instance, else why not; then nothing of the attempt is left. */
  async function tryPool(attempt: Attempt, imageId: string): Promise<string | null> {
    const { pool, launchId } = attempt;
    let launched: LaunchResult;
    try {
      const remainingMs = Math.max(1, deadlineMs - Date.now());
      const launcher = ec2Activities(accountId, region, { scheduleToCloseTimeout: remainingMs });
      launched = await served(() => launcher.launchInstance(launchOf(attempt, imageId)));
    } catch (error) {
      // What the call did is unknown, so a launch may be there: it is given up by its id.
      await report({
        kind: 'launchAbandoned',
        switchNumber,
        launchId,
        instanceId: null,
        message: reasonOf(error),
      });
      throw error;
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
    await report({ kind: 'cutOverRequested', switchNumber, instanceId });
    await condition(() => state.decision(instanceId) !== null, CUT_OVER_ANSWER);
    // Once asked, only the agent can say: giving up a candidate that became the primary would take it down.
    while (state.decision(instanceId) === null) {
      await report({ kind: 'cutOverRequested', switchNumber, instanceId });
      await condition(() => state.decision(instanceId) !== null, CUT_OVER_ANSWER);
    }
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

  let [outcome, message]: [SwitchOutcome, string] = ['failed', ''];
  try {
    [outcome, message] = await run();
  } catch (error) {
    if (isCancellation(error)) [outcome, message] = ['cancelled', 'the workflow was cancelled'];
    else [outcome, message] = ['failed', reasonOf(error)];
  }
  state.end(outcome, message);
  await CancellationScope.nonCancellable(() =>
    report({ kind: 'switchEnded', switchNumber, outcome, message }),
  );
  return state.view();
}

/** The sentence of the activity's own failure, without the wrappers. */
function reasonOf(error: unknown): string {
  if (error instanceof ActivityFailure) return reasonOf(error.cause ?? error.message);
  if (error instanceof ApplicationFailure) return error.message;
  return error instanceof Error ? error.message : String(error);
}
