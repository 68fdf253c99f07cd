/** The end of one instance: the zombie wait, then attempts to terminate it until EC2 itself calls it terminated. */
import {
  ActivityFailure,
  CancellationScope,
  condition,
  continueAsNew,
  defineSignal,
  log,
  setHandler,
} from '@temporalio/workflow';
import type { RetirementInput, RetirementOutcome } from '../contracts/messages';
import { signalNames } from '../contracts/messages';
import { ec2Activities, noWorkerSentence, noWorkerTookIt } from './activity-options';
import { reportToAgent, whenCancelled } from './child-reports';
import { isLongRun } from './run-length';
import { untakenPause } from './untaken-pause';

export const keepSignal = defineSignal(signalNames.keep);

/** How long EC2 gets to finish a termination that it has accepted, before it is asked for once more. */
const PROOF_DEADLINE = '10 min';

export async function retirementWorkflow(input: RetirementInput): Promise<RetirementOutcome> {
  const { clientId, agentId, instanceId, accountId, region, reason } = input;
  const address = { clientId, agentId, instanceId, accountId, region };
  const ec2 = ec2Activities(accountId, region);
  const prove = ec2Activities(accountId, region, { scheduleToCloseTimeout: PROOF_DEADLINE });
  let kept = input.carried?.kept ?? false;
  /** EC2 has accepted the termination: from then on it can only be proved. */
  let accepted = input.carried?.accepted ?? false;
  /** Attempts in a row that no worker of the account took: said once, and made ever more seldom. */
  let untaken = input.carried?.untaken ?? 0;
  const keep = () => {
    kept = true;
  };
  setHandler(keepSignal, keep);
  // Whoever cancels the retirement wants the instance to stay.
  whenCancelled(keep);

  /** Null: not yet, and the next attempt has to wait. */
  async function attempt(): Promise<RetirementOutcome | null> {
    try {
      const asked = await ec2.terminateInstance({ ...address, reason });
      untaken = 0;
      if (asked.outcome === 'refused') return 'refused';
      if (asked.outcome === 'failed' || asked.outcome === 'held') return null;
      accepted = true;
      await prove.proveTerminated(address);
      return 'terminated';
    } catch (error) {
      if (!(error instanceof ActivityFailure)) throw error;
      untaken = noWorkerTookIt(error) ? untaken + 1 : 0;
      if (untaken === 1) {
        const message = `${noWorkerSentence(accountId, region)} Instance ${instanceId} waits to be terminated.`;
        await reportToAgent(agentId, { kind: 'needsOperator', message, instanceId });
      }
      log.warn('termination not proven', { instanceId, error: String(error.cause ?? error) });
      return null;
    }
  }

  async function run(): Promise<RetirementOutcome> {
    const waitMs = Date.parse(input.markedAt) + input.waitSeconds * 1000 - Date.now();
    if (waitMs > 0) await condition(() => kept, waitMs);
    while (!kept || accepted) {
      const outcome = await attempt();
      if (outcome !== null) return outcome;
      await condition(() => kept && !accepted, input.retrySeconds * 1000 * untakenPause(untaken));
      // A stop switch or a protection can hold an end back for months.
      if (isLongRun(input.historyLimitEvents)) {
        const carried = { kept, accepted, untaken };
        await continueAsNew<typeof retirementWorkflow>({ ...input, carried });
      }
    }
    return 'kept';
  }

  return CancellationScope.nonCancellable(async () => {
    const outcome = await run();
    await reportToAgent(agentId, { kind: 'retirementEnded', instanceId, outcome });
    return outcome;
  });
}
