/** Asking after workflows that should have reported. */
import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import type { ChildActivities } from '../contracts/activities';

export function createChildActivities(client: Client): ChildActivities {
  return {
    async lookUpWorkflow({ workflowId }) {
      try {
        const { status } = await client.workflow.getHandle(workflowId).describe();
        return { open: status.name === 'RUNNING', status: status.name };
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return { open: false, status: 'NOT_FOUND' };
        throw error;
      }
    },
  };
}
