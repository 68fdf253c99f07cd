/** Instances and agents as a person or an agent process would bring them, for tests below the API. */
import {
  type Client,
  WithStartWorkflowOperation,
  type Workflow,
  type WorkflowHandle,
} from '@temporalio/client';
import { agentWorkflowId } from '../../contracts/ids';
import type {
  AgentInput,
  AgentPolicy,
  InstanceFacts,
  Registration,
  RegistrationOutcome,
} from '../../contracts/messages';
import { updateNames, workflowTypes } from '../../contracts/messages';
import type { PurchaseOption } from '../../contracts/states';
import { DEFAULT_POLICY } from '../../contracts/policy-defaults';
import { instanceFacts } from './instance-facts';
import { launch } from './launch';
import type { ReadyMessages } from './processes';

/** An instance on the simulated cloud, as its agent would describe it. */
export async function launchByHand(
  cloud: ReadyMessages['simulator'],
  option: PurchaseOption = 'ondemand',
): Promise<InstanceFacts> {
  const made = await launch(cloud, { option });
  const { region, imageId, accountId } = cloud;
  const zone = made.Placement?.AvailabilityZone ?? `${region}a`;
  return instanceFacts(made.InstanceId, { zone, region, mode: option, imageId, accountId });
}

export function registration(facts: InstanceFacts, policy: Partial<AgentPolicy> = {}): Registration {
  return { facts, policy: { ...DEFAULT_POLICY, ...policy }, launch: null };
}

/** Starts the agent's workflow the way the API does. */
export async function startAgent(
  client: Client,
  taskQueue: string,
  ids: { clientId: string; agentId: string; historyLimitEvents?: number },
  first: Registration,
): Promise<WorkflowHandle> {
  const input: AgentInput = { ...ids, logicalAgentId: `logical-${ids.agentId}` };
  const startWorkflowOperation = new WithStartWorkflowOperation(workflowTypes.agent, {
    workflowId: agentWorkflowId(ids.agentId),
    taskQueue,
    args: [input],
    workflowIdConflictPolicy: 'USE_EXISTING',
  });
  const outcome = await client.workflow.executeUpdateWithStart<Workflow, RegistrationOutcome, [Registration]>(
    updateNames.register,
    {
      args: [first],
      startWorkflowOperation,
    },
  );
  if (outcome.result !== 'accepted') throw new Error(`The registration was not accepted: ${outcome.reason}`);
  return client.workflow.getHandle(agentWorkflowId(ids.agentId));
}
