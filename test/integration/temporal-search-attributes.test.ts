/** Our search attributes in a namespace of the real server that has none of them. */
import { SEARCH_ATTRIBUTES } from '../../contracts/ids';
import { ensureSearchAttributes } from '../../temporal/search-attributes';
import { connectTemporal, type TemporalClient, uniqueTaskQueue } from '../harness/temporal';
import { until } from '../harness/until';

let temporal: TemporalClient;
const namespace = uniqueTaskQueue();

beforeAll(async () => {
  temporal = await connectTemporal();
  const { workflowService } = temporal.client;
  await workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: { seconds: 86_400 as never },
  });
  await until(
    'the namespace is known',
    () => workflowService.listWorkflowExecutions({ namespace, pageSize: 1 }),
    30_000,
  );
});

afterAll(() => temporal.close());

test('are added by two at once, and taken by the server when that is done', async () => {
  const { connection } = temporal.client;
  await Promise.all([
    ensureSearchAttributes(connection as never, namespace),
    ensureSearchAttributes(connection as never, namespace),
  ]);
  const { executions } = await temporal.client.workflowService.listWorkflowExecutions({
    namespace,
    query: SEARCH_ATTRIBUTES.map((name) => `${name} = 'x'`).join(' OR '),
  });
  expect(executions).toEqual([]);
  await ensureSearchAttributes(connection as never, namespace);
});

test('in a namespace that is not there, the sentence says what to run', async () => {
  await expect(ensureSearchAttributes(temporal.client.connection as never, 'nowhere')).rejects.toThrow(
    /in namespace nowhere.*Run: temporal operator search-attribute create --namespace nowhere --name ClientId --type Keyword/,
  );
});
