/** Wakes the workflow that notifies an audience. */
import type { Client } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import {
  type NotifyInput,
  notificationSignals,
  notificationWorkflowTypes,
  notifyWorkflowId,
  WHOLE_SYSTEM,
} from '../contracts/notifications';

const DEADLINE_MS = 5_000;

/** Tells the audience's workflow that events wait, and starts it if it doesn't run. */
export function notifyStarter(client: Client, taskQueue: string): (audience: string) => Promise<void> {
  return async (audience) => {
    const input: NotifyInput = { audience };
    await client.withDeadline(Date.now() + DEADLINE_MS, () =>
      client.workflow.signalWithStart(notificationWorkflowTypes.notify, {
        workflowId: notifyWorkflowId(audience),
        taskQueue,
        args: [input],
        signal: notificationSignals.eventsWaiting,
        signalArgs: [],
        staticSummary: audience === WHOLE_SYSTEM ? 'notifications for operators' : 'notifications',
        ...(audience !== WHOLE_SYSTEM && {
          typedSearchAttributes: [{ key: defineSearchAttributeKey('ClientId', 'KEYWORD'), value: audience }],
        }),
      }),
    );
  };
}
