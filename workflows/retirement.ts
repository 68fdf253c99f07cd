/** The end of one instance: the zombie wait, then attempts to terminate it until EC2 itself calls it terminated. */
import {
  ActivityFailure,
  CancellationScope,
  condition,
  defineSignal,
  getExternalWorkflowHandle,
  isCancellation,
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
      if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
      log.warn(noWorkerTookIt(error) ? noWorkerSentence(accountId, region) : 'termination not proven', {
        instanceId,
        error: String(error.cause ?? error),
      });
      return null;
    }
  }

  async function run(): Promise<RetirementOutcome> {
    const waitMs = Date.parse(input.markedAt) + input.waitSeconds * 1000 - Date.now();
    if (waitMs > 0) await condition(() => kept, waitMs);
    while (!kept) {
      const outcome = await attempt();
      if (outcome !== null) return outcome;
      await condition(() => kept, input.retrySeconds * 1000);
    }
    return 'kept';
  }

  let outcome: RetirementOutcome;
  try {
    outcome = await run();
  } catch (error) {
    // Whoever cancels the retirement wants the instance to stay.
    if (!isCancellation(error)) throw error;
    outcome = 'kept';
  }
  await CancellationScope.nonCancellable(() =>
    report(agentId, { kind: 'retirementEnded', instanceId, outcome }),
  );
  return outcome;
}

async function report(agentId: string, message: ChildReport): Promise<void> {
  try {
    await getExternalWorkflowHandle(agentWorkflowId(agentId)).signal(signalNames.childReport, message);
  } catch (error) {
    log.warn('the agent this instance belonged to is not running', { error: String(error) });
  }
}
