/** `spotkeeper bench reads`: how long each read takes over HTTP with a large fleet in the books. */
import { Agent, get } from 'node:http';
import path from 'node:path';
import { Client } from 'pg';
import { DIST } from '../../checkout';
import { Part } from '../../parts/part';
import { API_MEMORY_FLAGS } from '../../start/node-parts';
import { Failures } from '../failures';
import { machine, percentile, tenths } from '../figures';
import { openLoop } from '../open-loop';
import { type OwnDatabase, startOwnDatabase } from '../own-database';
import { processorSeconds } from '../process-figures';
import { agentNumber, fillBooks, instanceNumber, withHistory } from './books';

export interface ReadsBenchOptions {
  agents: number;
  /** Requests of each read, and how many a second. */
  requests: number;
  rate: number;
  env: NodeJS.ProcessEnv;
  say: (line: string) => void;
  signal: AbortSignal;
}

export interface ReadsBenchFigures {
  agents: number;
  requests: number;
  rate: number;
  reads: Record<string, ReadFigures>;
  slowest_p99_ms: number | null;
  machine: string;
  failures: Record<string, number>;
}

export interface ReadFigures {
  /** From when each was due until its last byte was read. */
  p50_ms: number | null;
  p99_ms: number | null;
  /** Of processor time a request, which depends less than the rest on what else the machine does. */
  api_cpu_ms: number | null;
  database_cpu_ms: number | null;
  /** Of the longest answer. */
  bytes: number;
}

const READY_MS = 45_000;
const NOWHERE = '127.0.0.1:9';
const HOUR_MS = 3_600_000;

/** @throws PartError if a part doesn't start or ends; the signal's reason when it is aborted. */
export async function benchReads(options: ReadsBenchOptions): Promise<ReadsBenchFigures> {
  options.say('Starting a database of its own …');
  const database = await startOwnDatabase(options.env, options.say);
  try {
    const sql = new Client({ connectionString: database.url });
    await sql.connect();
    try {
      await fillBooks(sql, database.clientId, options.agents, options.say, options.signal);
    } finally {
      await sql.end();
    }
    const api = await startApi(database, options.env);
    try {
      const { url } = await api.ready<{ type: 'ready'; url: string }>(READY_MS);
      return await Promise.race([measure(url, database, api, options), api.failsEarly()]);
    } finally {
      await api.stop();
    }
  } finally {
    await database.stop();
  }
}

function startApi(database: OwnDatabase, env: NodeJS.ProcessEnv): Promise<Part> {
  return Part.start({
    name: "the bench's API",
    command: process.execPath,
    args: [...API_MEMORY_FLAGS, path.join(DIST, 'api', 'main.js')],
    // No read asks Temporal.
    env: { ...env, DATABASE_URL: database.url, TEMPORAL_ADDRESS: NOWHERE, PORT: '0', LOG_LEVEL: 'error' },
    logFile: path.join(database.folder, 'api.log'),
    ipc: true,
  });
}

/** By name, the address of the n-th request of each read. */
function readsOf(clientId: string, agents: number): Record<string, (n: number) => string> {
  const some = (n: number) => 1 + ((n * 7919) % agents);
  const known = (n: number) => 1 + ((n * 31) % withHistory(agents));
  const list = `/api/client/${clientId}/agents`;
  const ago = (hours: number) => encodeURIComponent(new Date(Date.now() - hours * HOUR_MS).toISOString());
  const samples = (n: number) => `/api/agents/${agentNumber(known(n))}/samples`;
  return {
    'agent/instances, a page of 100': (n) => `/api/agent/instances?after=${instanceNumber(some(n))}`,
    'agent/instances, a page of 200': (n) =>
      `/api/agent/instances?limit=200&after=${instanceNumber(some(n))}`,
    'agent/instances, orphaned': () => '/api/agent/instances?limit=100&status=orphaned',
    'agent/instances, unhealthy': () => '/api/agent/instances?limit=100&health=unhealthy',
    'agent/instances, a zone': (n) => `/api/agent/instances?limit=100&az=us-east-1${'abcdef'[n % 6]}`,
    'agent/instances, search': (n) => `/api/agent/instances?limit=100&search=trainer-${some(n)}`,
    'agent/instances/<id>': (n) => `/api/agent/instances/${instanceNumber(some(n))}`,
    'agent/instances/<id>, long history': (n) => `/api/agent/instances/${instanceNumber(known(n))}`,
    'client/<id>/agents, a page of 100': (n) => `${list}?after=${agentNumber(some(n))}`,
    'client/<id>/agents, a page of 200': (n) => `${list}?limit=200&after=${agentNumber(some(n))}`,
    'client/<id>/agents, the last page': () => `${list}?after=${agentNumber(agents - 50)}`,
    'client/<id>/agents, orphaned': () => `${list}?status=orphaned`,
    'client/<id>/agents, unhealthy': () => `${list}?health=unhealthy`,
    'client/<id>/agents, mode and zone': () => `${list}?mode=ondemand&az=us-east-1d`,
    'client/<id>/agents, nothing found': () => `${list}?az=nowhere-1a`,
    'client/<id>/agents, search': (n) => `${list}?search=trainer-${some(n)}`,
    'client/<id>/agents, search in vain': (n) => `${list}?search=nothing-${n}`,
    'client/<id>/agents/history': () => `${list}/history`,
    'agents/<id>': (n) => `/api/agents/${agentNumber(some(n))}`,
    'agents/<id>/instances': (n) => `/api/agents/${agentNumber(some(n))}/instances`,
    'agents/<id>/history': (n) => `/api/agents/${agentNumber(some(n))}/history`,
    'agents/<id>/samples, an hour': (n) => samples(n),
    'agents/<id>/samples, 500 of a day raw': (n) => `${samples(n)}?from=${ago(24)}&resolution=raw`,
    'agents/<id>/samples, a week': (n) => `${samples(n)}?from=${ago(7 * 24)}`,
    'agents/<id>/samples, 90 days': (n) => `${samples(n)}?from=${ago(90 * 24)}`,
  };
}

async function measure(
  url: string,
  { clientId, userToken, part: server }: OwnDatabase,
  api: Part,
  { agents, requests, rate, say, signal }: ReadsBenchOptions,
): Promise<ReadsBenchFigures> {
  const failures = new Failures();
  const connections = new Agent({ keepAlive: true });
  const reads: ReadsBenchFigures['reads'] = {};
  try {
    for (const [name, address] of Object.entries(readsOf(clientId, agents))) {
      let bytes = 0;
      const read = async (index: number) => {
        bytes = Math.max(bytes, await readAll(url + address(index), userToken, connections));
      };
      // The first ones fill connections and caches.
      for (let index = 0; index < 5; index++) await read(requests + index);
      const before = { api: processorSeconds(api.pid), database: processorSeconds(server.pid, true) };
      const result = await openLoop({ count: requests, perSecond: rate, signal }, read);
      for (const error of result.failures) failures.add(name, error);
      reads[name] = {
        p50_ms: percentile(result.milliseconds, 0.5),
        p99_ms: percentile(result.milliseconds, 0.99),
        api_cpu_ms: perRequest(before.api, processorSeconds(api.pid), requests),
        database_cpu_ms: perRequest(before.database, processorSeconds(server.pid, true), requests),
        bytes,
      };
      say(`${name}: p50 ${reads[name].p50_ms} ms, p99 ${reads[name].p99_ms} ms`);
    }
  } finally {
    connections.destroy();
  }
  const worst = Object.values(reads).map((one) => one.p99_ms ?? 0);
  return {
    ...{ agents, requests, rate, reads, slowest_p99_ms: Math.max(...worst) },
    ...{ machine: machine(), failures: failures.counts },
  };
}

/** Null where it isn't known. */
function perRequest(before: number | null, after: number | null, requests: number): number | null {
  if (before === null || after === null) return null;
  return tenths(((after - before) * 1000) / requests);
}

/** @returns the length of the body. @throws Error for any other answer than 200. */
function readAll(url: string, token: string, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    get(url, { agent, headers: { authorization: `Bearer ${token}` } }, (response) => {
      let bytes = 0;
      response.on('data', (chunk: Buffer) => (bytes += chunk.length));
      response.once('error', reject);
      response.once('end', () =>
        response.statusCode === 200 ? resolve(bytes) : reject(new Error(`HTTP ${response.statusCode}`)),
      );
    }).once('error', reject);
  });
}
