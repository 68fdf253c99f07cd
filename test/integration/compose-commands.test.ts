/**
 * What docker-compose.yml starts of ours, started here with the environment it gives: on a database server made by
 * deploy/postgres/databases.sql, with the addresses of this machine's servers in place of the services' names.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Client } from 'pg';
import { parse } from 'yaml';
import { anyFreePort } from '../../cli/parts/free-port';
import type { Part } from '../../cli/parts/part';
import { postgresBinaries } from '../../cli/parts/postgres-binaries';
import { initialisePostgres, postgresUrl, startPostgres } from '../../cli/parts/postgres-server';
import { postgresUser } from '../../cli/parts/postgres-user';
import { startNode, type TestProcess } from '../harness/processes';
import { ROOT, testServers } from '../harness/servers';
import { uniqueAccount, uniqueTaskQueue } from '../harness/temporal';
import { testFile } from '../harness/test-file';
import { type ComposeFile, readCompose } from './compose-file';

const PASSWORD = 'a1b2c3d4e5';
const taskQueue = uniqueTaskQueue();

let port: number;
let postgres: Part;
let compose: ComposeFile;
let apiPort: number;
/** Of each service, in place of the one port that they all have in networks of their own. */
const metricsPorts = new Map<string, number>();
const started: TestProcess[] = [];

beforeAll(async () => {
  [port, apiPort] = [await anyFreePort(), await anyFreePort()];
  for (const service of ['api', 'worker']) metricsPorts.set(service, await anyFreePort());
  postgres = await startFreshServer();
  compose = readCompose({
    POSTGRES_PASSWORD: PASSWORD,
    SPOTKEEPER_DB_PASSWORD: PASSWORD,
    TEMPORAL_DB_PASSWORD: PASSWORD,
    GRAFANA_ADMIN_PASSWORD: PASSWORD,
    API_PUBLIC_URL: 'https://spotkeeper.example.com',
    AWS_ACCOUNT_ID: uniqueAccount(),
    AWS_REGIONS: 'us-east-1,us-west-2',
    TEMPORAL_NAMESPACE: 'default',
  });
});

afterAll(async () => {
  for (const one of started) await one.stop();
  await postgres?.stop('SIGINT');
});

it('migrates as a login that is no superuser, and again without harm', async () => {
  expect(JSON.parse((await run('migrate', commandOf('migrate'))).stdout)).toEqual({
    migrated: expect.arrayContaining(['0001-initial']),
  });
  expect(JSON.parse((await run('migrate', commandOf('migrate'))).stdout)).toEqual({ migrated: [] });
});

it('calls a worker healthy once it asks for tasks, and not before', async () => {
  const before = await run('worker', healthCheckOf('worker'));
  expect(before).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(`asks for tasks of ${taskQueue}`),
  });
  await start('worker');
  expect(await run('worker', healthCheckOf('worker'))).toMatchObject({ code: 0, stderr: '' });
});

it('calls the API healthy once it serves, and ready beside its worker', async () => {
  expect(await run('api', healthCheckOf('api'))).toMatchObject({ code: 1 });
  await start('api');
  expect(await run('api', healthCheckOf('api'))).toMatchObject({ code: 0 });
  const ready = await fetch(`http://127.0.0.1:${apiPort}/ready`);
  expect([ready.status, await ready.json()]).toEqual([200, expect.objectContaining({ status: 'ready' })]);
  const page = await (await fetch(`http://127.0.0.1:${apiPort}/`)).text();
  expect(page).toContain('<title>Spotkeeper</title>');
});

it('shows Prometheus the API and the worker where it looks for them', async () => {
  const { scrape_configs: jobs } = parse(
    readFileSync(path.join(ROOT, 'deploy', 'prometheus', 'prometheus.yml'), 'utf8'),
  ) as { scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[] };
  for (const [service, metric] of [
    ['api', 'dumont_agents_active'],
    ['worker', 'spotkeeper_worker_rounds_total'],
  ] as const) {
    const job = jobs.find((one) => one.job_name === service);
    expect(job?.static_configs).toEqual([{ targets: [`${service}:9464`] }]);
    const page = await fetch(`http://127.0.0.1:${metricsPorts.get(service)}/metrics`);
    expect(await page.text()).toContain(metric);
  }
});

it('makes the first tokens, with which the API lets people in', async () => {
  const seeded = await run('migrate', ['node', 'dist/db/seed-main.js', '--client', 'acme']);
  const { tokens } = JSON.parse(seeded.stdout) as { tokens: { user: string } };
  const response = await fetch(`http://127.0.0.1:${apiPort}/api/client/acme/agents`, {
    headers: { authorization: `Bearer ${tokens.user}` },
  });
  expect([response.status, await response.json()]).toEqual([200, { agents: [], next_after: null }]);
});

/** An empty server with the superuser `postgres`, as the image makes it, then what its first start runs. */
async function startFreshServer(): Promise<Part> {
  const user = postgresUser(console.log);
  const folder = path.join(testServers().folder, testFile().mark);
  mkdirSync(folder, { recursive: true, mode: 0o755 }); // The server's user goes through it.
  const options = {
    binaries: postgresBinaries(user, console.log),
    user,
    dataFolder: path.join(folder, 'compose-postgres'),
    password: PASSWORD,
    port,
    logFile: path.join(folder, 'compose-postgres.log'),
    settings: { fsync: 'off' },
  };
  await initialisePostgres(options);
  const part = await startPostgres(options);
  await as('spotkeeper', async (client) => {
    await client.query(`create role postgres superuser login password '${PASSWORD}'`);
  });
  await as('postgres', async (client) => {
    await client.query('alter role spotkeeper rename to founder');
    for (const statement of databaseStatements()) await client.query(statement);
  });
  return part;
}

/** The file's statements, with what psql fills in from the environment. */
function databaseStatements(): string[] {
  const text = readFileSync(path.join(ROOT, 'deploy', 'postgres', 'databases.sql'), 'utf8');
  const names = [...text.matchAll(/^\\getenv (\w+) \w+$/gm)].map(([, name]) => name);
  expect(names).toEqual(['spotkeeper_password', 'temporal_password']);
  return text
    .replace(/^(?:--|\\).*$/gm, '')
    .replace(/:'(\w+)'/g, (_, name) => {
      expect(names).toContain(name);
      return `'${PASSWORD}'`;
    })
    .split(';')
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '');
}

async function as(login: string, work: (client: Client) => Promise<void>): Promise<void> {
  const url = new URL(postgresUrl(PASSWORD, port, 'postgres'));
  url.username = login;
  const client = new Client({ connectionString: url.href });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

/** What the file gives, with this machine's addresses. */
function environmentOf(service: string): NodeJS.ProcessEnv {
  const given = Object.entries(compose.services[service]?.environment ?? {}).map(([name, value]) => [
    name,
    String(value)
      .replace('@postgres:5432/', `@127.0.0.1:${port}/`)
      .replace(/^temporal:7233$/, testServers().temporalAddress)
      .replace(/^0\.0\.0\.0:9464$/, `127.0.0.1:${metricsPorts.get(service)}`),
  ]);
  const environment = Object.fromEntries(given) as NodeJS.ProcessEnv;
  if (environment['TASK_QUEUE']) environment['TASK_QUEUE'] = taskQueue;
  if (environment['PORT']) environment['PORT'] = String(apiPort);
  return environment;
}

function commandOf(service: string): string[] {
  return compose.services[service]?.command ?? [];
}

function healthCheckOf(service: string): string[] {
  const [kind, ...command] = compose.services[service]?.healthcheck?.test ?? [];
  expect(kind).toBe('CMD');
  return command;
}

async function start(service: string): Promise<void> {
  const [program, script, ...args] = commandOf(service);
  expect(program).toBe('node');
  started.push(await startNode(service, path.join(ROOT, script!), environmentOf(service), args));
}

function run(service: string, [program, script, ...args]: string[]) {
  expect(program).toBe('node');
  // Nothing of this machine's own settings may make up for what the file leaves out.
  const env = { PATH: process.env['PATH'], ...environmentOf(service) };
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    execFile(process.execPath, [path.join(ROOT, script!), ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
}
