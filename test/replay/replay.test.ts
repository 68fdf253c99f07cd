/** Today's workflow code must agree with yesterday's histories, or agents in the middle of their lives would break. */
import { Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { recordedHistories } from '../harness/histories';
import { installRuntime, WORKFLOW_BUNDLE } from '../harness/workers';

beforeAll(installRuntime);

const histories = recordedHistories();

it('has a recorded history of every workflow type', () => {
  const types = new Set(histories.map(({ workflowId }) => workflowId.split('-')[0]));
  expect([...types].sort()).toEqual([
    'agent',
    'delivery',
    'hibernate',
    'notify',
    'replica',
    'resume',
    'retire',
    'switch',
  ]);
});

it.each(histories)('replays $workflowId', async ({ workflowId, history }) => {
  await Worker.runReplayHistory({ workflowBundle: WORKFLOW_BUNDLE }, history, workflowId);
});

it('fails on a history that the code would not have made', async () => {
  const { workflowId, history } = histories.find((one) => one.workflowId.startsWith('switch'))!;
  const changed = JSON.parse(
    JSON.stringify(history).replaceAll('launchInstance', 'somethingElse'),
  ) as unknown;
  await expect(
    Worker.runReplayHistory({ workflowBundle: WORKFLOW_BUNDLE }, changed, workflowId),
  ).rejects.toThrow(DeterminismViolationError);
});
