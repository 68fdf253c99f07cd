/** Workflow ids and task queues: readable, and each leads to the next in the Temporal Web UI. */

export function agentWorkflowId(agentId: string): string {
  return `agent:${agentId}`;
}

export function switchWorkflowId(agentId: string, switchNumber: number): string {
  return `switch:${agentId}:${switchNumber}`;
}

export function hibernationWorkflowId(agentId: string, number: number): string {
  return `hibernate:${agentId}:${number}`;
}

export function resumptionWorkflowId(agentId: string, number: number): string {
  return `resume:${agentId}:${number}`;
}

/** Readable, and each agent counts its own. */
export function replicaIdOf(agentId: string, number: number): string {
  return `${agentId}-r${number}`;
}

export function replicaWorkflowId(replicaId: string): string {
  return `replica:${replicaId}`;
}

/** EC2's ids are unique by themselves; anyone else's are only unique in their client. */
export function retirementWorkflowId(clientId: string, instanceId: string): string {
  return isEc2InstanceId(instanceId) ? `retire:${instanceId}` : `retire:${clientId}:${instanceId}`;
}

export function isEc2InstanceId(instanceId: string): boolean {
  return /^i-(?:[0-9a-f]{8}|[0-9a-f]{17})$/.test(instanceId);
}

/** Of the Schedule, and of the workflows that it starts. */
export function priceScheduleId(account: string, region: string): string {
  return `prices:${account}:${region}`;
}

/** The queue of the workers that hold credentials for one AWS account in one region. */
export function ec2TaskQueue(account: string, region: string): string {
  return `ec2:${account}:${region}`;
}

/** Names of the search attributes, all of type Keyword. */
export const SEARCH_ATTRIBUTES = [
  'ClientId',
  'AgentId',
  'AgentStatus',
  'InstanceMode',
  'Region',
  'InstanceId',
] as const;
export type SearchAttributeName = (typeof SEARCH_ATTRIBUTES)[number];

/** The region of a zone, for example `us-east-1` of `us-east-1a`. */
export function regionOfZone(zone: string): string {
  return zone.replace(/[a-z]$/, '');
}
