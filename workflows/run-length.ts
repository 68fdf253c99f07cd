/** When a run of a workflow goes on in a new one, which carries its state. */
import { workflowInfo } from '@temporalio/workflow';

const HISTORY_LIMIT_EVENTS = 8_000;

/** Whether the run is this long, or the server suggests to begin another. */
export function isLongRun(limitEvents = HISTORY_LIMIT_EVENTS): boolean {
  const { historyLength, continueAsNewSuggested } = workflowInfo();
  return continueAsNewSuggested || historyLength >= limitEvents;
}
