/** Updates of agents' workflows, bounded in time, with their failures turned into refusals. */
import {
  ApplicationFailure,
  type Client,
  WithStartWorkflowOperation,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import { failureTypes } from '../contracts/activities';
import { agentWorkflowId, type SearchAttributeName } from '../contracts/ids';
import {
  type AgentInput,
  type DeleteAccepted,
  type DeleteRequest,
  type HibernateAccepted,
  type HibernateRequest,
  type Registration,
  type RegistrationOutcome,
  type ResumeAccepted,
  type ResumeRequest,
  type SetProtectedRequest,
  type SwitchAccepted,
  type SwitchRequest,
  updateNames,
  workflowTypes,
} from '../contracts/messages';
import type { PromoteReplicaRequest, PromotionAccepted, SetReplicaModeRequest } from '../contracts/replicas';
import { Problem } from './http/problem';

/** An answer takes milliseconds while a worker runs; without one it never comes. */
const DEADLINE_MS = 8_000;
const MOST_ATTEMPTS = 5;
/** gRPC's status. */
const FAILED_PRECONDITION = 9;

/** Registers an instance with its agent's workflow, which starts if it isn't there. */
export function registerWithAgent(
  client: Client,
  taskQueue: string,
  input: AgentInput,
  registration: Registration,
): Promise<RegistrationOutcome> {
  const { facts } = registration;
  const attributes: Record<SearchAttributeName, string> = {
    ClientId: input.clientId,
    AgentId: input.agentId,
    AgentStatus: 'online',
    InstanceMode: facts.mode,
    Region: facts.region,
    InstanceId: facts.instanceId,
  };
  const startWorkflowOperation = new WithStartWorkflowOperation(workflowTypes.agent, {
    workflowId: agentWorkflowId(input.agentId),
    taskQueue,
    args: [input],
    staticSummary: input.logicalAgentId,
    workflowIdConflictPolicy: 'USE_EXISTING',
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
    typedSearchAttributes: Object.entries(attributes).map(([name, value]) => ({
      key: defineSearchAttributeKey(name, 'KEYWORD'),
      value,
    })),
  });
  return answered(client, input.agentId, () =>
    client.workflow.executeUpdateWithStart<never, RegistrationOutcome, [Registration]>(updateNames.register, {
      args: [registration],
      startWorkflowOperation: startWorkflowOperation as never,
    }),
  );
}

export function requestSwitchOfAgent(
  client: Client,
  agentId: string,
  request: SwitchRequest,
): Promise<SwitchAccepted> {
  return update<SwitchAccepted, SwitchRequest>(client, agentId, updateNames.requestSwitch, request);
}

export function hibernateAgent(client: Client, agentId: string, request: HibernateRequest) {
  return update<HibernateAccepted, HibernateRequest>(client, agentId, updateNames.hibernate, request);
}

export function resumeAgent(client: Client, agentId: string, request: ResumeRequest) {
  return update<ResumeAccepted, ResumeRequest>(client, agentId, updateNames.resume, request);
}

export function deleteAgent(client: Client, agentId: string, request: DeleteRequest) {
  return update<DeleteAccepted, DeleteRequest>(client, agentId, updateNames.delete, request);
}

export function protectAgent(client: Client, agentId: string, request: SetProtectedRequest) {
  return update<void, SetProtectedRequest>(client, agentId, updateNames.setProtected, request);
}

export function setReplicaModeOfAgent(client: Client, agentId: string, request: SetReplicaModeRequest) {
  return update<void, SetReplicaModeRequest>(client, agentId, updateNames.setReplicaMode, request);
}

export function promoteReplicaOfAgent(client: Client, agentId: string, request: PromoteReplicaRequest) {
  return update<PromotionAccepted, PromoteReplicaRequest>(
    client,
    agentId,
    updateNames.promoteReplica,
    request,
  );
}

function update<Answer, Message>(
  client: Client,
  agentId: string,
  name: string,
  message: Message,
): Promise<Answer> {
  return answered(client, agentId, () =>
    client.workflow
      .getHandle(agentWorkflowId(agentId))
      .executeUpdate<Answer, [Message]>(name, { args: [message] }),
  );
}

async function answered<T>(client: Client, agentId: string, call: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + DEADLINE_MS;
  for (let attempt = 1; ; attempt++) {
    try {
      return await client.withDeadline(deadline, call);
    } catch (error) {
      if (attempt < MOST_ATTEMPTS && wasUndone(error)) continue;
      throw refusalOf(error, agentId) ?? error;
    }
  }
}

/**
 * The workflow task that took the update was thrown away by the server, because something else reached the workflow
 * meanwhile; so the update had no effect, and is asked for again.
 */
function wasUndone(error: unknown): boolean {
  const { cause } = error as { cause?: { code?: number; details?: string } };
  return cause?.code === FAILED_PRECONDITION && /workflow task failure/.test(cause.details ?? '');
}

/** Null for what failures.ts turns into a refusal, whoever called: Temporal being away. */
function refusalOf(error: unknown, agentId: string): Problem | null {
  if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure) {
    return refusedByWorkflow(error.cause);
  }
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) {
    return Problem.unavailable(
      'no_answer',
      `The workflow of agent ${agentId} did not answer in time; is a worker running? Ask again.`,
      5,
    );
  }
  if (error instanceof WorkflowExecutionAlreadyStartedError || error instanceof WorkflowNotFoundError) {
    return new Problem(
      409,
      'agent_ended',
      `The workflow of agent ${agentId} does not run, so there is nobody to ask; look at ${agentWorkflowId(agentId)} in the Temporal Web UI.`,
    );
  }
  return null;
}

function refusedByWorkflow(failure: ApplicationFailure): Problem {
  switch (failure.type) {
    case failureTypes.switchRunning: {
      const running = failure.details?.[0] as SwitchAccepted | undefined;
      return new Problem(409, 'switch_running', failure.message, {
        extensions: {
          switch_number: running?.switchNumber,
          switch_workflow_id: running?.switchWorkflowId,
        },
      });
    }
    case failureTypes.noPrimary:
      return new Problem(409, 'no_primary', failure.message);
    case failureTypes.notNow:
      return new Problem(409, 'not_now', failure.message);
    case failureTypes.invalidRequest:
      return new Problem(422, 'invalid_request', failure.message);
    default:
      return new Problem(409, 'refused', failure.message);
  }
}
