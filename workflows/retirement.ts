/** The end of one instance: the zombie wait, then attempts to terminate it until EC2 itself calls it terminated. */
import {
  ActivityFailure,
  condition,
  defineSignal,
  getExternalWorkflowHandle,
  log,
  setHandler,
} from '@temporalio/workflow';
import { agentWorkflowId } from '../contracts/ids';
import type { ChildReport, RetirementInput, RetirementOutcome } from '../contracts/messages';
import { signalNames } from '../contracts/messages';
import { ec2Activities, noWorkerSentence, noWorkerTookIt } from './activity-options';

export const keepSignal = defineSignal(signalNames.keep);

/** How long EC2 gets to finish a termination that it has accepted, before it is asked for once more. */
const PROOF_DEADLINE = '10 min';

export async function retirementWorkflow(input: RetirementInput): Promise<RetirementOutcome> {
  const { clientId, agentId, instanceId, accountId, region, reason, seen } = input;
  const address = { clientId, agentId, instanceId, accountId, region };
  const ec2 = ec2Activities(accountId, region);
  const prove = ec2Activities(accountId, region, { scheduleToCloseTimeout: PROOF_DEADLINE });
  let kept = false;
  setHandler(keepSignal, () => {
    kept = true;
  });

  /** Null: not yet, and the next attempt has to wait. */
  async function attempt(): Promise<RetirementOutcome | null> {
    try {
      const asked = await ec2.terminateInstance({ ...address, reason });
      if (asked.outcome === 'refused') return 'refused';
      if (asked.outcome === 'failed') return null;
      await prove.proveTerminated({ ...address, seen });
      return 'terminated';
    } catch (error) {
      if (!(error instanceof ActivityFailure)) throw error;
      log.warn(noWorkerTookIt(error) ? noWorkerSentence(accountId, region) : 'termination not proven', {
        instanceId,
        error: String(error.cause ?? error),
      });
      return null;
    }
  }

  const waitMs = Date.parse(input.markedAt) + input.waitSeconds * 1000 - Date.now();
  if (waitMs > 0) await condition(() => kept, waitMs);
  let outcome: RetirementOutcome | null = kept ? 'kept' : null;
  while (outcome === null) {
    outcome = await attempt();
    if (outcome !== null) break;
    await condition(() => kept, input.retrySeconds * 1000);
    if (kept) outcome = 'kept';
  }
  await report(agentId, { kind: 'retirementEnded', instanceId, outcome });
  return outcome;
}

async function report(agentId: string, message: ChildReport): Promise<void> {
  try {
    await getExternalWorkflowHandle(agentWorkflowId(agentId)).signal(signalNames.childReport, message);
  } catch (error) {
    log.warn('the agent this instance belonged to is not running', { error: String(error) });
  }
}
