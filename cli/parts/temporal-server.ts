/** Temporal's development server, set up as our workflows need it. */
import { Connection } from '@temporalio/client';
import { SEARCH_ATTRIBUTES } from '../../contracts/ids';
import { Part, type PartOptions } from './part';
import { until } from './until';

export interface TemporalServerOptions {
  binary: string;
  port: number;
  /** Null starts no Web UI. */
  uiPort: number | null;
  /** Keeps the state over restarts; null keeps it in memory. */
  databaseFile: string | null;
  logFile: string;
  onSpawn?: PartOptions['onSpawn'];
}

/** At the server's defaults each hop between two tasks waits for a 50 ms quantum. */
const DYNAMIC_CONFIG = {
  'history.transferProcessorMaxPollRPS': 2000,
  'history.timerProcessorMaxPollRPS': 2000,
};

/** @throws PartError if it ends before it serves, with what it printed. */
export async function startTemporalServer(options: TemporalServerOptions): Promise<Part> {
  const part = await Part.start({
    name: 'the Temporal server',
    command: options.binary,
    args: [
      ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(options.port)],
      ...['--log-level', 'warn', '--log-format', 'json'],
      ...(options.uiPort === null ? ['--headless'] : ['--ui-port', String(options.uiPort)]),
      ...(options.databaseFile === null ? [] : ['--db-filename', options.databaseFile]),
      ...Object.entries(DYNAMIC_CONFIG).flatMap(([key, value]) => [
        '--dynamic-config-value',
        `${key}=${value}`,
      ]),
      ...SEARCH_ATTRIBUTES.flatMap((name) => ['--search-attribute', `${name}=Keyword`]),
    ],
    logFile: options.logFile,
    onSpawn: options.onSpawn,
  });
  const address = `127.0.0.1:${options.port}`;
  try {
    await Promise.race([
      part.failsEarly(),
      until('the Temporal server serves', () => (part.ended ? true : serves(address)), 60_000, 100),
    ]);
    return part;
  } catch (error) {
    await part.stop('SIGTERM');
    throw error;
  }
}

/** Serving means that the namespace is there and that the search attributes are known in it. */
async function serves(address: string): Promise<true> {
  const connection = await Connection.connect({ address, connectTimeout: 2000 });
  try {
    await connection.workflowService.listWorkflowExecutions({
      namespace: 'default',
      pageSize: 1,
      query: SEARCH_ATTRIBUTES.map((name) => `${name} = 'x'`).join(' OR '),
    });
    return true;
  } finally {
    await connection.close();
  }
}
