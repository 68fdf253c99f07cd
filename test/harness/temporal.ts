/** Connections to the run's real Temporal server, and names that no other test file uses. */
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { randomInt } from 'node:crypto';
import { testServers } from './servers';
import { testFile } from './test-file';
import { until } from './until';

export { startTimeSkipping } from './time-skipping';

export interface TemporalClient {
  client: Client;
  address: string;
  close(): Promise<void>;
}

/** A client of the real development server, namespace `default`. Close it in afterAll. */
export async function connectTemporal(): Promise<TemporalClient> {
  const address = testServers().temporalAddress;
  const connection = await Connection.connect({ address });
  return { client: new Client({ connection }), address, close: () => connection.close() };
}

/** A workflow that another one starts in its own time: what announced it comes before it. */
export async function startedWorkflow(client: Client, workflowId: string): Promise<WorkflowHandle> {
  const handle = client.workflow.getHandle(workflowId);
  await until(`${workflowId} is started`, () => handle.describe(), 20_000);
  return handle;
}

let count = 0;

/** A task queue of this file's own. */
export function uniqueTaskQueue(): string {
  return `test-${testFile().mark}-${++count}`;
}

/** An AWS account id (12 digits) that names task queues `ec2:<account>:<region>` of this file's own. */
export function uniqueAccount(): string {
  return String(randomInt(100_000_000_000, 281_474_976_710_655)).slice(0, 12);
}
