/**
 * Putting one machine to rest: ask whether the cause still holds, choose how, save what has to be saved, ask again, stop.
 * Until EC2 has taken the stop it can be cancelled, and what was started is then left as it is. A machine that can't be
 * stopped is ended by its agent, once this has reported its image or snapshots complete.
 */
import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  condition,
  defineQuery,
  defineSignal,
  setHandler,
} from '@temporalio/workflow';
import { failureTypes, type StopResult } from '../contracts/activities';
import type {
  AgentPolicy,
  HibernationCause,
  HibernationInput,
  HibernationMethod,
  HibernationResult,
  HibernationStateView,
} from '../contracts/messages';
import { queryNames, signalNames } from '../contracts/messages';
import { ec2Activities, noWorkerSentence, noWorkerTookIt, rest } from './activity-options';
import { reportToAgent, whenCancelled } from './child-reports';
import { checkCancel } from './message-checks';

export const hibernationStateQuery = defineQuery<HibernationStateView>(queryNames.hibernationState);

/** How long EC2 may take: to stop a machine, to fill an image or snapshots. */
const STOP_DEADLINE = '30 min';
const STOP_DEADLINE_MS = 30 * 60_000;
/** Between two attempts to ask EC2 for a stop. */
const STOP_PAUSE = '15 s';
const SAVE_DEADLINE = '2 h';

export async function hibernationWorkflow(input: HibernationInput): Promise<HibernationResult> {
  const { clientId, agentId, number, cause, reason, force } = input;
  const { instanceId, accountId, region } = input.instance;
  const address = { clientId, agentId, instanceId, accountId, region };
  const ec2 = ec2Activities(accountId, region);
  const stopping = ec2Activities(accountId, region, { scheduleToCloseTimeout: STOP_DEADLINE });
  const once = ec2Activities(accountId, region, { retry: { maximumAttempts: 1 } });
  const saving = ec2Activities(accountId, region, { scheduleToCloseTimeout: SAVE_DEADLINE });
  const view: HibernationStateView = { phase: 'confirming', method: null, message: reason };
  let cancelled: string | null = null;
  const cancel = (why: string) => {
    cancelled ??= why;
  };
  setHandler(defineSignal<[unknown]>(signalNames.cancel), (message: unknown) => {
    const checked = checkCancel(message);
    if (checked.ok) cancel(checked.message);
  });
  setHandler(hibernationStateQuery, () => view);
  whenCancelled(() => cancel('its workflow was cancelled'));

  const result = (
    outcome: HibernationResult['outcome'],
    message: string,
    saved: Partial<HibernationResult> = {},
  ): HibernationResult => ({
    outcome,
    method: view.method,
    imageId: null,
    snapshotIds: [],
    message,
    ...saved,
  });

  /** Why it isn't to be done any more, or null. */
  async function countermanded(): Promise<string | null> {
    if (cancelled === null && cause !== 'person') {
      const { still, message } = await rest.confirmCause({
        clientId,
        agentId,
        instanceId,
        cause,
        seconds: secondsOf(cause, input.policy),
        idleGpuThresholdPercent: input.policy.idleGpuThresholdPercent,
      });
      if (!still) return message;
    }
    return cancelled;
  }

  async function run(): Promise<HibernationResult> {
    const early = await countermanded();
    if (early !== null) return result('cancelled', early);
    view.phase = 'planning';
    const plan = await unlessCancelled(ec2.planHibernation({ ...address, cause }));
    if (plan === null) return result('cancelled', cancelled ?? reason);
    if (plan.outcome === 'gone') return result('gone', plan.message);
    if (plan.outcome === 'held') return result('held', plan.message);
    if (plan.outcome === 'impossible') return result('failed', plan.message);
    if (plan.outcome === 'stopped') {
      view.method = 'stop';
      return result('done', plan.message);
    }
    view.method = plan.method;
    view.message = plan.message;
    const saved = await unlessCancelled(save(plan.method));
    if (saved === null)
      return result('cancelled', `${cancelled}; what was begun to be saved is left to itself`);
    const late = await countermanded();
    if (late !== null) return result('cancelled', `${late}${leftBehind(saved)}`);
    if (plan.method === 'image' || plan.method === 'snapshots') {
      // Once this is done the agent gives its machine up, which nothing undoes.
      const end = await ec2.mayEnd(address);
      if (!end.may) return result('held', `${end.message}${leftBehind(saved)}`);
      if (cancelled !== null) return result('cancelled', `${String(cancelled)}${leftBehind(saved)}`);
      return result('done', plan.message, saved);
    }
    view.phase = 'stopping';
    const askedAt = new Date().toISOString();
    const asked = await stop(plan.method);
    if (asked.outcome !== 'requested') return result(asked.outcome, asked.message);
    const { message } = await stopping.proveStopped({ ...address, askedAt });
    return result('done', `${plan.message}; ${message}`);
  }

  /** Null as soon as it is cancelled: what was started ends by itself, and the machine isn't kept waiting for that. */
  async function unlessCancelled<T>(step: Promise<T>): Promise<T | null> {
    step.catch(() => undefined); // Nobody may be waiting for it by then.
    return Promise.race([step, condition(() => cancelled !== null).then(() => null)]);
  }

  /** Each attempt is asked for anew: in the time that EC2 takes to listen the machine may have been heard. */
  async function stop(how: 'hibernate' | 'stop'): Promise<StopResult> {
    const deadlineMs = Date.now() + STOP_DEADLINE_MS;
    for (;;) {
      try {
        return await once.stopInstance({ ...address, how, force, reason });
      } catch (error) {
        if (noWorkerTookIt(error) || !mayPass(error) || Date.now() >= deadlineMs) throw error;
        await condition(() => cancelled !== null, STOP_PAUSE);
      }
      const countermand = await countermanded();
      if (countermand !== null) return { outcome: 'cancelled', message: countermand };
    }
  }

  async function save(method: HibernationMethod): Promise<Partial<HibernationResult>> {
    view.phase = 'saving';
    const purpose = `hibernation ${number}`;
    switch (method) {
      case 'image': {
        const { imageId } = await ec2.createImage({ ...address, purpose, reason });
        await saving.proveImageAvailable({ ...address, imageId });
        return { imageId };
      }
      case 'snapshots': {
        const { snapshotIds } = await ec2.snapshotVolumes({ ...address, purpose, reason });
        await saving.proveSnapshotsCompleted({ ...address, snapshotIds });
        return { snapshotIds };
      }
      case 'hibernate':
      case 'stop':
        return {};
    }
  }

  async function outcome(): Promise<HibernationResult> {
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof ActivityFailure)) throw error;
      if (!noWorkerTookIt(error)) return result('failed', error.cause?.message ?? error.message);
      const message = noWorkerSentence(accountId, region);
      await reportToAgent(agentId, { kind: 'needsOperator', message, instanceId });
      return result('failed', message, { unreachable: true });
    }
  }

  return CancellationScope.nonCancellable(async () => {
    const ended = await outcome();
    view.phase = 'ended';
    view.message = ended.message;
    await reportToAgent(agentId, { kind: 'hibernationEnded', number, ...ended });
    return ended;
  });
}

/** Whether the same step may fare better later. */
function mayPass(error: unknown): boolean {
  if (!(error instanceof ActivityFailure)) return false;
  return !(
    error.cause instanceof ApplicationFailure &&
    (error.cause.type === failureTypes.never || error.cause.type === failureTypes.notPermitted)
  );
}

function secondsOf(cause: HibernationCause, policy: AgentPolicy): number {
  switch (cause) {
    case 'idle':
      return policy.idleHibernateSeconds;
    case 'silence':
      return policy.hibernateAfterSilenceSeconds;
    case 'forgotten':
      return policy.deleteAfterOrphanedSeconds;
    case 'person':
      return 0;
  }
}

function leftBehind({ imageId, snapshotIds = [] }: Partial<HibernationResult>): string {
  const left = [...(imageId ? [imageId] : []), ...snapshotIds];
  return left.length === 0 ? '' : `; ${left.join(', ')} was made and is kept`;
}
