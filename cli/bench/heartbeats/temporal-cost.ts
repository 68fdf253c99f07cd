/** What heartbeats cost Temporal: with a signal each, and the way this system does it. */
import { performance } from 'node:perf_hooks';
import { Client, Connection } from '@temporalio/client';
import type { HeartbeatNews } from '../../../contracts/messages';
import { queryNames, signalNames } from '../../../contracts/messages';
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

/** Beats of a day, at one every 30 s. */
const BEATS_OF_A_DAY = 2_880;

/**
 * Sends a day's ordinary heartbeats of one agent, as fast as they are answered, and counts what its history grew by: its
 * timers run in real time, so theirs are counted in the same way as they come.
 */
export async function eventsOfADay(stack: Stack, agent: Registered, signal: AbortSignal): Promise<number> {
  return withTemporal(stack, async (client) => {
    const beat = () =>
      post(stack, `agents/${agent.agentId}/heartbeat`, agent.token, {
        status: 'online',
        instance_id: agent.instanceId,
        mode: 'spot',
        az: 'us-east-1a',
        gpu_utilization: 80,
      });
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

const CONCURRENCIES = [4, 16, 64];
const SECONDS = 6;

/**
 * The best rate, over several concurrencies, at which workflows take a signal a heartbeat: from the first that is sent
 * until the last has been taken.
 */
export async function naiveSignalsPerSecond(
  stack: Stack,
  agents: readonly Registered[],
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<number> {
  return withTemporal(stack, async (client) => {
    const revisions = new Map(agents.map((agent) => [agent.agentId, 1_000_000]));
    const send = async (agent: Registered) => {
      const revision = (revisions.get(agent.agentId) ?? 0) + 1;
      revisions.set(agent.agentId, revision);
      const news: HeartbeatNews = {
        instanceId: agent.instanceId,
        revision,
        health: 'healthy',
        mode: 'spot',
        zone: 'us-east-1a',
        receivedAt: new Date().toISOString(),
      };
      await client.workflow.getHandle(agentWorkflowId(agent.agentId)).signal(signalNames.heartbeat, news);
    };
    const seen = async () => {
      const states = await Promise.all(
        agents.map((agent) =>
          client.workflow
            .getHandle(agentWorkflowId(agent.agentId))
            .query<{ heartbeatsSeen: number }>(queryNames.agentState),
        ),
      );
      return states.reduce((sum, state) => sum + state.heartbeatsSeen, 0);
    };
    let best = 0;
    for (const concurrency of CONCURRENCIES) {
      const before = await seen();
      const start = performance.now();
      let sent = 0;
      // No agent has two on their way: the later could arrive first, and the other would be ignored.
      const senders = Array.from({ length: Math.min(concurrency, agents.length) }, async (_, first) => {
        const own = agents.filter((_agent, index) => index % concurrency === first);
        for (let turn = 0; performance.now() - start < SECONDS * 1000; turn += 1) {
          signal.throwIfAborted();
          await send(own[turn % own.length] as Registered);
          sent += 1;
        }
      });
      await Promise.all(senders);
      // A query is answered after all signals that were sent before it.
      if ((await seen()) - before < sent) throw new Error('Temporal lost signals on their way to workflows.');
      const rate = (sent * 1000) / (performance.now() - start);
      say(`  ${concurrency} at once: ${Math.round(rate)} signals a second`);
      best = Math.max(best, rate);
    }
    return best;
  });
}

async function withTemporal<T>(stack: Stack, work: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address: stack.temporalAddress });
  try {
    return await work(new Client({ connection }));
  } finally {
    await connection.close();
  }
}

async function post<T>(stack: Stack, route: string, token: string, body: object): Promise<T> {
  const response = await fetch(`${stack.apiUrl}/api/${route}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (response.ok) return (await response.json()) as T;
  throw new Error(`The API refused ${route} with ${response.status}: ${await response.text()}`);
}
