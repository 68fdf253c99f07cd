/** How an agent's children tell it what they did, and how they take being cancelled. */
import { CancellationScope, getExternalWorkflowHandle, log } from '@temporalio/workflow';
import { agentWorkflowId } from '../contracts/ids';
import type { ChildReport } from '../contracts/messages';
import { signalNames } from '../contracts/messages';

/** An agent that has ended needs no report. */
export async function reportToAgent(agentId: string, message: ChildReport): Promise<void> {
  try {
    await getExternalWorkflowHandle(agentWorkflowId(agentId)).signal(signalNames.childReport, message);
  } catch (error) {
    log.warn('the agent that this reports to is not running', {
      agentId,
      kind: message.kind,
      error: String(error),
    });
  }
}

/** A request to cancel, heard instead of obeyed: call it at the top, and do the work in a scope that isn't cancelled. */
export function whenCancelled(heard: () => void): void {
  CancellationScope.current().cancelRequested.catch(heard);
}
