/** Agents in words for a terminal. */
import type { AgentDetail, AgentSummary } from '../../contracts/http';

export function agentTable(agents: readonly AgentSummary[], nowMs: number): string {
  const head = ['AGENT', 'STATUS', 'INSTANCE', 'POOL', 'HEARTBEAT', 'GPU', 'NOTES'];
  const byName = [...agents].sort((one, other) =>
    one.logical_agent_id.localeCompare(other.logical_agent_id, undefined, { numeric: true }),
  );
  const rows = byName.map((agent) => [
    agent.logical_agent_id,
    statusOf(agent),
    agent.instance_id ?? '–',
    poolOf(agent),
    heartbeatOf(agent),
    gpuOf(agent),
    notesOf(agent, nowMs).join('; '),
  ]);
  const widths = head.map((name, column) =>
    Math.max(name.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function agentWords(agent: AgentDetail, nowMs: number): string {
  const living = agent.instances.filter((one) => one.instance_status !== 'terminated');
  const facts: [string, string][] = [
    ['Agent', `${agent.logical_agent_id} (${agent.agent_id})`],
    ['Status', statusOf(agent)],
    [
      'Instance',
      agent.instance_id ?? (agent.no_primary_reason === null ? 'none' : `none: ${agent.no_primary_reason}`),
    ],
    ['Pool', poolOf(agent)],
    ['Incarnation', String(agent.incarnation)],
    ['Heartbeat', heartbeatOf(agent)],
    ['GPU', gpuOf(agent)],
    ...notesOf(agent, nowMs).map((note, at): [string, string] => [at === 0 ? 'Notes' : '', note]),
    ...living.map((one, at): [string, string] => [
      at === 0 ? 'Machines' : '',
      `${one.instance_id}, ${one.role === 'replica' ? 'replica' : one.instance_status}, ${one.instance_type} ${one.mode} in ${one.az}`,
    ]),
    ['Workflow', agent.workflow_url ?? agent.workflow_id],
  ];
  const width = Math.max(...facts.map(([name]) => name.length));
  return facts.map(([name, words]) => `${name.padEnd(width)}  ${words}`).join('\n');
}

function statusOf({ status, health }: AgentSummary): string {
  return health === 'unhealthy' ? `${status}, unhealthy` : status;
}

function poolOf({ instance_type: type, mode, az }: AgentSummary): string {
  return [type, mode, az].map((part) => part ?? '?').join(' ');
}

function heartbeatOf({ seconds_since_heartbeat: seconds }: AgentSummary): string {
  return seconds === null ? 'none yet' : `${span(seconds)} ago`;
}

function gpuOf({ gpu_utilization: percent }: AgentSummary): string {
  return percent === null ? '–' : `${Math.round(percent)} %`;
}

function notesOf(agent: AgentSummary, nowMs: number): string[] {
  const { hibernation, idle_warning: warning, keep_alive_until: until, active_switch: active } = agent;
  const keptSeconds = until === null ? 0 : (Date.parse(until) - nowMs) / 1000;
  return [
    ...(warning ? [`to be hibernated in ${span(warning.seconds_left)}: ${warning.reason}`] : []),
    ...(hibernation
      ? [
          `${hibernation.phase}${hibernation.method ? ` by ${hibernation.method}` : ''}: ${hibernation.message}`,
        ]
      : []),
    ...(keptSeconds > 0 ? [`kept alive until ${until} (${span(keptSeconds)})`] : []),
    ...(agent.protected ? ['protected'] : []),
    ...(active ? [`${active} is running`] : []),
  ];
}

/** `12 s`, `3 min`, `5 h`, `2 days`. */
function span(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 2 * 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}
