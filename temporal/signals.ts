/** Delivers one outbox message as a plain signal, by workflow id: signal-with-start would wake the deleted. */
import { type Client, WorkflowNotFoundError } from '@temporalio/client';

export async function sendSignal(
  client: Client,
  message: { workflowId: string; signal: string; payload: object },
): Promise<'delivered' | 'no_such_workflow'> {
  try {
    await client.workflow.getHandle(message.workflowId).signal(message.signal, message.payload);
    return 'delivered';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'no_such_workflow';
    throw error;
  }
}
