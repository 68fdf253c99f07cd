/** Instances and agents as a person or an agent process would bring them, for tests below the API. */
import { EC2Client, RunInstancesCommand } from '@aws-sdk/client-ec2';
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
import { DEFAULT_POLICY } from '../../contracts/policy-defaults';
import type { ReadyMessages } from './processes';
import { useCloud } from './workers';

/** A spot instance on the simulated cloud. */
export async function launchByHand(cloud: ReadyMessages['simulator'], zone?: string): Promise<InstanceFacts> {
  useCloud(cloud.cloudUrl);
  const ec2 = new EC2Client({ region: cloud.region });
  try {
    const reply = await ec2.send(
      new RunInstancesCommand({
        ImageId: cloud.imageId,
        InstanceType: 'p3.2xlarge',
        MinCount: 1,
        MaxCount: 1,
        ...(zone && { Placement: { AvailabilityZone: zone } }),
      }),
    );
    const made = reply.Instances?.[0];
    if (!made?.InstanceId || !made.Placement?.AvailabilityZone)
      throw new Error('RunInstances made no instance.');
    return {
      instanceId: made.InstanceId,
      instanceType: 'p3.2xlarge',
      zone: made.Placement.AvailabilityZone,
      region: cloud.region,
      mode: made.InstanceLifecycle === 'spot' ? 'spot' : 'ondemand',
      imageId: cloud.imageId,
      accountId: cloud.accountId,
      hostname: null,
      privateIp: null,
      publicIp: null,
      agentVersion: null,
    };
  } finally {
    ec2.destroy();
  }
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
