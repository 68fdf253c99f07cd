/** How many heartbeats a second the system takes when each is a signal: by the same API, and straight to Temporal. */
import { performance } from 'node:perf_hooks';
import type { Client } from '@temporalio/client';
import { agentWorkflowId } from '../../../contracts/ids';
import type { HeartbeatNews } from '../../../contracts/messages';
import { queryNames, signalNames } from '../../../contracts/messages';
import { until } from '../../parts/until';
import type { Stack } from './stack';
import { type Registered, sendBeat, withTemporal } from './temporal-cost';

const CONCURRENCIES = [4, 16, 64];
/** Of each concurrency: so many, so that what is acknowledged faster than it is taken does not pile up for minutes. */
const SIGNALS = 1_500;
const ALL_TAKEN_MS = 120_000;

/** Each of them, once: sends one heartbeat of the agent. */
type Send = (agent: Registered) => Promise<unknown>;

/** By an API that signals every heartbeat. */
export function naiveSignalsPerSecond(
  stack: Stack,
  agents: readonly Registered[],
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<number> {
  return withTemporal(stack, (client) =>
    stack.withOwnApi({ HEARTBEAT_SIGNALS: 'every' }, (apiUrl) =>
      bestRate(client, agents, { say, signal, send: (agent) => sendBeat({ apiUrl }, agent) }),
    ),
  );
}

/** Workflows take nothing of the API's after this: its revisions are lower. */
export function directSignalsPerSecond(
  stack: Stack,
  agents: readonly Registered[],
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<number> {
  const revisions = new Map(agents.map((agent) => [agent.agentId, 1_000_000]));
  return withTemporal(stack, (client) => {
    const send: Send = async ({ agentId, instanceId }) => {
      const revision = (revisions.get(agentId) ?? 0) + 1;
      revisions.set(agentId, revision);
      const news: HeartbeatNews = {
        instanceId,
        revision,
        health: 'healthy',
        mode: 'spot',
        zone: 'us-east-1a',
        receivedAt: new Date().toISOString(),
      };
      await client.workflow.getHandle(agentWorkflowId(agentId)).signal(signalNames.heartbeat, news);
    };
    return bestRate(client, agents, { say, signal, send });
  });
}

/** Over several concurrencies, from when the first heartbeat is sent until workflows have taken the last. */
async function bestRate(
  client: Client,
  agents: readonly Registered[],
  { say, signal, send }: { say: (line: string) => void; signal: AbortSignal; send: Send },
): Promise<number> {
  let best = 0;
  for (const concurrency of CONCURRENCIES) {
    const before = await heartbeatsSeen(client, agents);
    const start = performance.now();
    // No agent has two on their way: the later could arrive first, and the other would be ignored.
    let sent = 0;
    const senders = Array.from({ length: Math.min(concurrency, agents.length) }, async (_, first) => {
      const own = agents.filter((_agent, index) => index % concurrency === first);
      for (let turn = 0; sent < SIGNALS; turn += 1) {
        signal.throwIfAborted();
        sent += 1;
        await send(own[turn % own.length] as Registered);
      }
    });
    await Promise.all(senders);
    await until(
      'workflows have taken all signals',
      async () => (await heartbeatsSeen(client, agents)) - before >= sent,
      ALL_TAKEN_MS,
      100,
    );
    const rate = (sent * 1000) / (performance.now() - start);
    say(`  ${concurrency} at once: ${Math.round(rate)} signals a second`);
    best = Math.max(best, rate);
  }
  return best;
}

/** A query is answered after all signals that reached the workflow before it. */
async function heartbeatsSeen(client: Client, agents: readonly Registered[]): Promise<number> {
  const states = await Promise.all(
    agents.map((agent) =>
      client.workflow
        .getHandle(agentWorkflowId(agent.agentId))
        .query<{ heartbeatsSeen: number }>(queryNames.agentState),
    ),
  );
  return states.reduce((sum, state) => sum + state.heartbeatsSeen, 0);
}
