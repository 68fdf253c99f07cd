/** Starting a stopped machine again. Its agent is heard from afterwards, or is silent like any other. */
import { ActivityFailure, CancellationScope } from '@temporalio/workflow';
import type { ResumptionInput, ResumptionOutcome } from '../contracts/messages';
import { A_FEW_TRIES, ec2Activities, noWorkerSentence, noWorkerTookIt } from './activity-options';
import { reportToAgent } from './child-reports';

export async function resumptionWorkflow(input: ResumptionInput): Promise<ResumptionOutcome> {
  const { clientId, agentId, number, reason } = input;
  const { instanceId, accountId, region } = input.instance;
  const ec2 = ec2Activities(accountId, region, A_FEW_TRIES);

  async function run(): Promise<{ outcome: ResumptionOutcome; message: string }> {
    try {
      return await ec2.startInstance({ clientId, agentId, instanceId, accountId, region, reason });
    } catch (error) {
      if (!(error instanceof ActivityFailure)) throw error;
      const nobody = noWorkerTookIt(error);
      const message = nobody ? noWorkerSentence(accountId, region) : (error.cause?.message ?? error.message);
      return { outcome: 'failed', message };
    }
  }

  // What EC2 was asked for can't be taken back.
  return CancellationScope.nonCancellable(async () => {
    const { outcome, message } = await run();
    await reportToAgent(agentId, { kind: 'resumptionEnded', number, outcome, message });
    return outcome;
  });
}
