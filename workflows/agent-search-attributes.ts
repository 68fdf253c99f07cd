/** What people see of an agent's workflow in the Temporal Web UI: what it is found by, and how it is just now. */
import { defineSearchAttributeKey } from '@temporalio/common';
import type { WorkflowInfo } from '@temporalio/workflow';
import type { SearchAttributeName } from '../contracts/ids';
import type { AgentState } from './agent-state';

export function searchAttributesOf(state: AgentState) {
  const values: Record<SearchAttributeName, string | null> = {
    ClientId: state.clientId,
    AgentId: state.agentId,
    AgentStatus: state.status,
    InstanceMode: state.primary?.mode ?? null,
    Region: state.primary?.region ?? null,
    InstanceId: state.primary?.instanceId ?? null,
  };
  const pairs = Object.entries(values).map(([name, value]) => ({
    key: defineSearchAttributeKey(name, 'KEYWORD'),
    value,
  }));
  return {
    pairs,
    changed: ({ typedSearchAttributes }: WorkflowInfo) =>
      pairs.some(({ key, value }) => (typedSearchAttributes.get(key) ?? null) !== value),
  };
}

/** Markdown. */
export function detailsOf(state: AgentState): string {
  const { primary, activeSwitch } = state;
  const place = primary
    ? `on \`${primary.instanceId}\` (${primary.instanceType} ${primary.mode} in ${primary.zone})`
    : `without a primary: ${state.noPrimaryReason}`;
  const lines = [
    `**${state.logicalAgentId}** is ${state.status} ${place}, incarnation ${state.incarnation}.`,
    ...(activeSwitch ? [`\`${activeSwitch.workflowId}\` runs: ${activeSwitch.reason}.`] : []),
    ...state.retirements.map((one) => `\`${one.workflowId}\` runs.`),
  ];
  return lines.join('\n\n');
}
