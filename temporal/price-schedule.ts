/** The Schedule that looks at the prices of an account in a region. */
import { type Client, ScheduleAlreadyRunning, ScheduleOverlapPolicy } from '@temporalio/client';
import { priceScheduleId } from '../contracts/ids';
import { workflowTypes } from '../contracts/messages';

const EVERY = '5 min';
const JITTER = '1 min';

/** Makes it, and lets it look at once; one that is there is pointed at this task queue. */
export async function ensurePriceSchedule(
  client: Client,
  { accountId, region, taskQueue }: { accountId: string; region: string; taskQueue: string },
): Promise<void> {
  const scheduleId = priceScheduleId(accountId, region);
  const options = {
    spec: { intervals: [{ every: EVERY }], jitter: JITTER },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 min' },
    action: {
      type: 'startWorkflow' as const,
      workflowType: workflowTypes.priceWatch,
      workflowId: scheduleId,
      taskQueue,
      args: [{ accountId, region }],
      // Without a worker, looks don't pile up.
      workflowExecutionTimeout: '4 min',
    },
  };
  try {
    await client.schedule.create({ scheduleId, ...options, state: { triggerImmediately: true } });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    await client.schedule.getHandle(scheduleId).update((previous) => ({ ...options, state: previous.state }));
  }
}
