/**
 * The process that sends a bench's heartbeats: open loop, each due at its own time, whether or not those before it were
 * answered. Started by heartbeats-bench.ts, which it talks to by IPC. The protocol is spoken on bare sockets, kept open,
 * since a client library would take more of the machine than what is measured.
 */
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { agentNumber } from './fleet';
import { LoadConnection } from './load-connection';

export interface LoadSettings {
  host: string;
  port: number;
  agents: number;
  connections: number;
}

export type LoadCommand = { type: 'run'; rate: number; seconds: number } | { type: 'end' };

export interface LoadResult {
  type: 'result';
  sent: number;
  /** Answered 200. */
  acknowledged: number;
  /** How often which other answer, or which failure. */
  failures: Record<string, number>;
  /** Of those acknowledged, from when they were due until they were answered. */
  milliseconds: { p50: number; p90: number; p99: number; max: number } | null;
  /** From when the first was due until the last was answered. */
  seconds: number;
}

function requestOf(number: number, host: string): Buffer {
  const { agentId, instanceId, token } = agentNumber(number);
  const body = JSON.stringify({
    status: 'online',
    instance_id: instanceId,
    instance_type: 'p3.2xlarge',
    mode: 'spot',
    az: 'us-east-1a',
    gpu_utilization: 40 + (number % 60),
    vram_used_gb: 18.4,
    cpu_utilization: 45,
    ram_used_gb: 12,
    disk_used_gb: 45.2,
    cost_accumulated: 2.4,
    uptime_seconds: 7200 + number,
  });
  return Buffer.from(
    `POST /api/agents/${agentId}/heartbeat HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

async function run(
  connections: readonly LoadConnection[],
  requests: readonly Buffer[],
  { rate, seconds }: { rate: number; seconds: number },
): Promise<LoadResult> {
  const count = Math.round(rate * seconds);
  const latencies = new Float64Array(count);
  const failures: Record<string, number> = {};
  let acknowledged = 0;
  let answered = 0;
  let allAnswered: () => void = () => undefined;
  const done = new Promise<void>((resolve) => (allAnswered = resolve));
  const onAnswer = (status: number | string, dueMs: number) => {
    if (status === 200) latencies[acknowledged++] = performance.now() - dueMs;
    else failures[status] = (failures[status] ?? 0) + 1;
    if (++answered === count) allAnswered();
  };
  const start = performance.now() + 20;
  let next = 0;
  while (next < count) {
    const due = Math.min(count, Math.floor(((performance.now() - start) * rate) / 1000) + 1);
    for (; next < due; next++) {
      const agent = next % requests.length;
      const connection = connections[agent % connections.length] as LoadConnection;
      connection.send(requests[agent] as Buffer, start + (next * 1000) / rate, onAnswer);
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await done;
  const sorted = latencies.subarray(0, acknowledged).sort();
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number;
  return {
    type: 'result',
    sent: count,
    acknowledged,
    failures,
    milliseconds: acknowledged === 0 ? null : { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) },
    seconds: (performance.now() - start) / 1000,
  };
}

async function main(): Promise<void> {
  const settings = JSON.parse(process.argv[2] ?? '') as LoadSettings;
  const { host, port } = settings;
  const requests = Array.from({ length: settings.agents }, (_, number) =>
    requestOf(number, `${host}:${port}`),
  );
  const connections: LoadConnection[] = [];
  while (connections.length < settings.connections) {
    const some = Array.from({ length: Math.min(200, settings.connections - connections.length) }, () =>
      LoadConnection.open(host, port),
    );
    connections.push(...(await Promise.all(some)));
  }
  process.send?.({ type: 'ready' });
  for (;;) {
    const [command] = (await once(process, 'message')) as [LoadCommand];
    if (command.type === 'end') break;
    process.send?.(await run(connections, requests, command));
  }
  for (const connection of connections) connection.close();
  process.disconnect();
}

process.on('disconnect', () => process.exit(0));
main().catch((error: unknown) => {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exit(1);
});
