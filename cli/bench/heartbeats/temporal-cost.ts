/** What heartbeats cost Temporal. */
import { Client, Connection } from '@temporalio/client';
import type { RegisterReply } from '../../../contracts/http';
import { agentWorkflowId } from '../../../contracts/ids';
import { until } from '../../parts/until';
import type { Stack } from './stack';

export interface Registered {
  agentId: string;
  instanceId: string;
  token: string;
}

/** Agents whose workflows run, registered as agents do it. */
export async function registerAgents(
  stack: Stack,
  count: number,
  signal: AbortSignal,
): Promise<Registered[]> {
  const agents: Registered[] = [];
  const register = async (number: number) => {
    const instanceId = `bench-${number}`;
    const reply = await post<RegisterReply>(stack, 'agents/register', stack.clientToken, {
      logical_agent_id: `registered-${number}`,
      instance_id: instanceId,
      instance_type: 'p3.2xlarge',
      region: 'us-east-1',
      az: 'us-east-1a',
      mode: 'spot',
      account_id: '000000000000',
    });
    agents.push({ agentId: reply.agent_id, instanceId, token: reply.agent_token });
  };
  for (let first = 0; first < count; first += 10) {
    signal.throwIfAborted();
    await Promise.all(
      Array.from({ length: Math.min(10, count - first) }, (_, index) => register(first + index)),
    );
  }
  return agents;
}

/** One of a busy GPU, on which nothing changes. */
export function sendBeat(
  api: { apiUrl: string },
  { agentId, instanceId, token }: Registered,
): Promise<unknown> {
  return post(api, `agents/${agentId}/heartbeat`, token, {
    status: 'online',
    instance_id: instanceId,
    mode: 'spot',
    az: 'us-east-1a',
    gpu_utilization: 80,
  });
}

/** Beats of a day, at one every 30 s. */
const BEATS_OF_A_DAY = 2_880;

/**
 * Sends a day's ordinary heartbeats of one agent, as fast as they are answered, and counts what its history grew by: its
 * timers run in real time, so theirs are counted in the same way as they come.
 */
export async function eventsOfADay(stack: Stack, agent: Registered, signal: AbortSignal): Promise<number> {
  return withTemporal(stack, async (client) => {
    const beat = () => sendBeat(stack, agent);
    await beat(); // The first is news, once in an agent's life.
    const before = await settledLength(client, agent.agentId);
    for (let sent = 0; sent < BEATS_OF_A_DAY; sent += 1) {
      if (sent % 100 === 0) signal.throwIfAborted();
      await beat();
    }
    return (await settledLength(client, agent.agentId)) - before;
  });
}

/** Events of all runs, once nothing is added for a while. */
async function settledLength(client: Client, agentId: string): Promise<number> {
  let last = -1;
  return until(
    'the history stays as it is',
    async () => {
      const { historyLength, runId, raw } = await client.workflow
        .getHandle(agentWorkflowId(agentId))
        .describe();
      const first = raw.workflowExecutionInfo?.firstRunId ?? runId;
      if (first !== runId) throw new Error('the run went on in a new one');
      const same = historyLength === last;
      last = historyLength;
      return same ? historyLength : false;
    },
    30_000,
    1_500,
  );
}

export async function withTemporal<T>(stack: Stack, work: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address: stack.temporalAddress });
  try {
    return await work(new Client({ connection }));
  } finally {
    await connection.close();
  }
}

export async function post<T>(
  { apiUrl }: { apiUrl: string },
  route: string,
  token: string,
  body: object,
): Promise<T> {
  const response = await fetch(`${apiUrl}/api/${route}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (response.ok) return (await response.json()) as T;
  throw new Error(`The API refused ${route} with ${response.status}: ${await response.text()}`);
}
