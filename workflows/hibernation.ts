/**
 * Putting one machine to rest: ask whether the cause still holds, choose how, save what has to be saved, ask again, stop.
 * Until EC2 has taken the stop it can be cancelled, and what was started is then left as it is. A machine that can't be
 * stopped is ended by its agent, once this has reported its image or snapshots complete.
 */
import {
  ActivityFailure,
  CancellationScope,
  defineQuery,
  defineSignal,
  setHandler,
} from '@temporalio/workflow';
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
const SAVE_DEADLINE = '2 h';

export async function hibernationWorkflow(input: HibernationInput): Promise<HibernationResult> {
  const { clientId, agentId, number, cause, reason, force } = input;
  const { instanceId, accountId, region } = input.instance;
  const address = { clientId, agentId, instanceId, accountId, region };
  const ec2 = ec2Activities(accountId, region);
  const stopping = ec2Activities(accountId, region, { scheduleToCloseTimeout: STOP_DEADLINE });
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
    const plan = await ec2.planHibernation({ ...address, cause });
    if (plan.outcome === 'gone') return result('gone', plan.message);
    if (plan.outcome === 'held') return result('held', plan.message);
    if (plan.outcome === 'impossible') return result('failed', plan.message);
    if (plan.outcome === 'stopped') {
      view.method = 'stop';
      return result('done', plan.message);
    }
    view.method = plan.method;
    view.message = plan.message;
    const saved = await save(plan.method);
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
    const asked = await ec2.stopInstance({ ...address, how: plan.method, force, reason });
    if (asked.outcome !== 'requested') return result(asked.outcome, asked.message);
    const { message } = await stopping.proveStopped({ ...address, askedAt });
    return result('done', `${plan.message}; ${message}`);
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
