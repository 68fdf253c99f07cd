/** What an agent's workflow can be found by. */
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
