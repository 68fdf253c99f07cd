/** The two Temporal servers that tests are given work, and know our search attributes. */
import { until } from '../harness/until';
import {
  type TemporalClient,
  connectTemporal,
  startTimeSkipping,
  uniqueTaskQueue,
} from '../harness/temporal';
import type { TestWorkflowEnvironment } from '@temporalio/testing';

let temporal: TemporalClient;
let skipping: TestWorkflowEnvironment;
beforeAll(async () => {
  temporal = await connectTemporal();
  skipping = await startTimeSkipping();
}, 300_000);
afterAll(async () => {
  await temporal.close();
  await skipping.teardown();
});

test('the real server finds a workflow by search attribute', async () => {
  const taskQueue = uniqueTaskQueue();
  const handle = await temporal.client.workflow.start('neverRun', {
    taskQueue,
    workflowId: taskQueue,
    searchAttributes: { ClientId: [taskQueue] },
  });
  await until(
    'the workflow is listed',
    async () => {
      for await (const { workflowId } of temporal.client.workflow.list({
        query: `ClientId = '${taskQueue}'`,
      }))
        return workflowId === taskQueue;
      return false;
    },
    10_000,
  );
  await handle.terminate('seen');
});

test('the time-skipping server sleeps a week in no time', async () => {
  const before = await skipping.currentTimeMs();
  await skipping.sleep('7 days');
  expect((await skipping.currentTimeMs()) - before).toBeGreaterThanOrEqual(7 * 24 * 3600 * 1000);
});
