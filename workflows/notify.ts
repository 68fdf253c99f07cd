/** Notifies one audience, as wiring: the reducer decides what is told when, its effects are carried out here. */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  allHandlersFinished,
  CancellationScope,
  ChildWorkflowCancellationType,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  log,
  ParentClosePolicy,
  setHandler,
  startChild,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import type { DeliveryInput, NotifyInput, NotifyStateView } from '../contracts/notifications';
import {
  deliveryWorkflowId,
  notificationSignals,
  notificationWorkflowTypes,
  notifyStateQueryName,
} from '../contracts/notifications';
import { children, notifications } from './activity-options';
import { checkDeliveryEnded } from './message-checks';
import { nextNotifyDeadlineMs } from './notify-pace';
import { hasNothingToDo, initialNotifyState, type NotifyState, notifyStateView } from './notify-state';
import { type NotifyEffect, type NotifyEvent, onNotifyEvent } from './notify-transitions';
import { isLongRun } from './run-length';

export const eventsWaitingSignal = defineSignal(notificationSignals.eventsWaiting);
export const deliveryEndedSignal = defineSignal<[unknown]>(notificationSignals.deliveryEnded);
export const notifyStateQuery = defineQuery<NotifyStateView>(notifyStateQueryName);

export async function notifyWorkflow(input: NotifyInput): Promise<void> {
  let state = (input.carried as NotifyState | undefined) ?? initialNotifyState(input.audience);
  const { audience } = input;
  const inbox = [...((input.unread as NotifyEvent[] | undefined) ?? [])];
  setHandler(eventsWaitingSignal, () => {
    // One look finds all that wait.
    if (!inbox.some(({ kind }) => kind === 'eventsWaiting')) inbox.push({ kind: 'eventsWaiting' });
  });
  setHandler(deliveryEndedSignal, (message) => {
    const checked = checkDeliveryEnded(message);
    inbox.push(
      checked.ok
        ? { kind: 'deliveryEnded', message: checked.message }
        : { kind: 'malformed', name: notificationSignals.deliveryEnded, reason: checked.reason },
    );
  });
  setHandler(notifyStateQuery, () => notifyStateView(state));

  async function happened(event: NotifyEvent): Promise<void> {
    const transition = onNotifyEvent(state, event, Date.now(), uuid4);
    state = transition.state;
    for (const effect of transition.effects) await carryOut(effect);
  }

  async function carryOut(effect: NotifyEffect): Promise<void> {
    switch (effect.kind) {
      case 'gather':
        return happened({ kind: 'gathered', gathered: await notifications.gatherEvents({ audience }) });
      case 'close':
        return notifications.closeNotifications({ audience, notificationIds: effect.notificationIds });
      case 'deliver': {
        const { channelId, deliveryId, notificationIds } = effect;
        const request = { audience, channelId, deliveryId, notificationIds };
        const { prepared, summary } = await notifications.prepareDelivery(request);
        if (prepared) await startDelivery({ audience, channelId, deliveryId, test: null }, summary);
        return happened({ kind: 'deliveryPrepared', deliveryId, prepared });
      }
      case 'lookUpDelivery': {
        const { deliveryId } = effect;
        const { open } = await children.lookUpWorkflow({ workflowId: deliveryWorkflowId(deliveryId) });
        return happened({ kind: 'deliveryLookedUp', deliveryId, open });
      }
      case 'settleDelivery': {
        const reason = 'Its workflow was ended before the message was delivered.';
        await notifications.endDelivery({ deliveryId: effect.deliveryId, outcome: 'failed', reason });
        return;
      }
    }
  }

  // To end it early would leave events untold until others come.
  await CancellationScope.nonCancellable(live);

  async function live(): Promise<void> {
    if (state.gatherDue) await happened({ kind: 'clock' });
    while (!(inbox.length === 0 && hasNothingToDo(state) && allHandlersFinished())) await turn();
  }

  async function turn(): Promise<void> {
    const deadlineMs = nextNotifyDeadlineMs(state);
    const awake = () => inbox.length > 0 || mayContinueAsNew();
    if (!awake()) {
      if (deadlineMs === null) await condition(awake);
      else await condition(awake, Math.max(1, deadlineMs - Date.now()));
    }
    // Before what was heard: where new things are heard all the time, a run would never end.
    if (mayContinueAsNew()) {
      await continueAsNew<typeof notifyWorkflow>({ ...input, carried: state, unread: inbox });
    }
    const event = inbox.shift();
    if (event) return happened(event);
    if (deadlineMs !== null && deadlineMs <= Date.now()) return happened({ kind: 'clock' });
  }

  function mayContinueAsNew(): boolean {
    return isLongRun(input.historyLimitEvents) && allHandlersFinished();
  }
}

/** It outlives this run (a continue-as-new would end it otherwise) and reports by signal. */
async function startDelivery(input: DeliveryInput, summary: string): Promise<void> {
  const workflowId = deliveryWorkflowId(input.deliveryId);
  try {
    await startChild(notificationWorkflowTypes.delivery, {
      workflowId,
      args: [input],
      staticSummary: summary,
      parentClosePolicy: ParentClosePolicy.ABANDON,
      cancellationType: ChildWorkflowCancellationType.ABANDON,
      typedSearchAttributes: workflowInfo().typedSearchAttributes,
    });
  } catch (error) {
    // Its id names the message, so the one that runs already sends it.
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    log.warn('the delivery was already running', { workflowId });
  }
}
