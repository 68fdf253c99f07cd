/** What a person on call does from a terminal, against the whole system; and what is said when that can't be done. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { main } from '../../cli/main';
import { anyFreePort } from '../../cli/parts/free-port';
import { registerByHand } from '../harness/registered-agent';
import { NOWHERE } from '../harness/running-api';
import { ROOT } from '../harness/servers';
import { System } from '../harness/system';

let system: System;
let folder: string;
let agent: { id: string; instanceId: string };

beforeAll(async () => {
  system = await System.start({
    cloud: ['--synthetic', '1', '--boot', 'none', '--boot-seconds', '0'],
    policy: { silencePolicy: 'off' },
  });
  agent = await registerByHand(system, 'web-shop');
  folder = mkdtempSync(path.join(os.tmpdir(), 'spotkeeper-cli-'));
});

afterAll(async () => {
  await system?.stop();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

const VARIABLES = ['SPOTKEEPER_URL', 'SPOTKEEPER_TOKEN', 'SPOTKEEPER_STATE_DIR'] as const;
type Environment = Partial<Record<(typeof VARIABLES)[number], string>>;

/** Runs one command in this process; what it prints and its exit code. */
async function run(args: string[], env: Environment = asUser()) {
  const lines: Record<'log' | 'error', string[]> = { log: [], error: [] };
  const spies = (['log', 'error'] as const).map((stream) =>
    jest
      .spyOn(console, stream)
      .mockImplementation((...words: unknown[]) => void lines[stream].push(words.join(' '))),
  );
  const before = VARIABLES.map((name) => [name, process.env[name]] as const);
  for (const name of VARIABLES) process.env[name] = env[name] ?? '';
  try {
    const code = await main(args);
    return { code, out: lines.log.join('\n'), error: lines.error.join('\n') };
  } finally {
    for (const [name, value] of before) process.env[name] = value ?? '';
    for (const spy of spies) spy.mockRestore();
  }
}

function asUser(): Environment {
  return { SPOTKEEPER_URL: system.api.ready.url, SPOTKEEPER_TOKEN: system.tokens.user };
}

async function json(args: string[], env?: Environment): Promise<Record<string, unknown>> {
  const { out } = await run([...args, '--json'], env);
  return JSON.parse(out.split('\n').at(-1) ?? '') as Record<string, unknown>;
}

const stateOf = () =>
  system.temporal.client.workflow
    .getHandle(`agent:${agent.id}`)
    .query<{ keepAliveUntil: string | null; protected: boolean }>('agentState');

const happened = (type: string) => system.events.next(type, (one) => one.agent_id === agent.id);

it('lists agents, filters them and says when none is like that', async () => {
  const { code, out } = await run(['agents']);
  expect([code, out]).toEqual([0, expect.stringMatching(/^AGENT +STATUS.*\nweb-shop +online +i-/)]);
  expect((await run(['agents', '--status', 'orphaned'])).out).toBe('No agent is like that.');
  expect(await json(['agents', '--search', 'shop'])).toMatchObject({ agents: [{ agent_id: agent.id }] });
});

it('shows one agent, whether it is named by its id, its name or its instance', async () => {
  for (const named of [agent.id, 'web-shop', agent.instanceId]) {
    const { code, out } = await run(['agent', named]);
    expect([code, out]).toEqual([0, expect.stringContaining(`web-shop (${agent.id})`)]);
  }
});

it('keeps an agent alive for as long as it is told', async () => {
  const reply = await json(['keep-alive', agent.instanceId, '--minutes', '90']);
  expect(reply).toMatchObject({ success: true, agent_id: agent.id, valid_for_minutes: 90 });
  await happened('keep_alive');
  const left = Date.parse((await stateOf()).keepAliveUntil ?? '') - Date.now();
  expect(Math.round(left / 60_000)).toBe(90);
  expect((await run(['agent', 'web-shop'])).out).toMatch(/kept alive until .* \(90 min\)/);
});

it('protects an agent, which says so, and lifts that', async () => {
  expect(await run(['protect', 'web-shop'])).toMatchObject({ code: 0, error: '' });
  expect((await stateOf()).protected).toBe(true);
  await run(['unprotect', 'web-shop']);
  expect((await stateOf()).protected).toBe(false);
});

it('hibernates an agent and resumes it', async () => {
  const { code, out } = await run(['hibernate', 'web-shop']);
  expect([code, out]).toEqual([0, expect.stringContaining(`the workflow hibernate:${agent.id}:1`)]);
  await happened('agent_hibernated');
  expect((await run(['agent', 'web-shop'])).out).toMatch(/hibernated by \w+: /);
  expect(await run(['hibernate', 'web-shop'])).toMatchObject({ code: 1, out: '' });
  expect(await json(['resume', 'web-shop'])).toMatchObject({ success: true });
  await happened('agent_resumed');
});

it('shows, sets and lifts the stop switch of a client and of the system', async () => {
  const client = ['--client', system.clientId];
  expect((await run(['stop-switch', 'show', ...client])).out).toMatch(/^No stop switch holds/);
  const set = await json(['stop-switch', 'on', ...client, '--reason', 'a rehearsal']);
  expect(set).toMatchObject({ holds: true, switches: [{ scope: 'client', reason: 'a rehearsal' }] });
  expect((await run(['stop-switch', 'show', ...client])).out).toContain('a rehearsal');
  expect(await json(['stop-switch', 'off', ...client])).toMatchObject({ holds: false });
  // The system's is an administrator's to move.
  expect(await run(['stop-switch', 'on', '--reason', 'x'])).toMatchObject({ code: 1, out: '' });
  const asAdmin = { ...asUser(), SPOTKEEPER_TOKEN: system.tokens.admin };
  expect(await json(['stop-switch', 'on', '--reason', 'x'], asAdmin)).toMatchObject({ holds: true });
  expect(await json(['stop-switch', 'off'], asAdmin)).toMatchObject({ holds: false });
});

it('shows a mass silence, and says that it was looked into', async () => {
  expect((await run(['mass-silence', 'show'])).out).toMatch(/^No mass silence is open/);
  await system.sql.query(`insert into mass_silences (client_id, agents, silent_agents) values ($1, 12, 9)`, [
    system.clientId,
  ]);
  // The sweep closes one of which nobody is silent.
  const shown = (await run(['mass-silence', 'show', '--client', system.clientId])).out;
  expect(shown).toMatch(/9 of 12 agents/);
  const done = await json(['mass-silence', 'looked-into', '--note', 'a firewall']);
  expect(done).toMatchObject({ client_id: system.clientId, open: null, closed: [{ agents: 12 }] });

  await system.sql.query(
    'insert into mass_silences (client_id, agents, silent_agents) values (null, 40, 30)',
  );
  const lookInto = ['mass-silence', 'looked-into', '--system', '--note', 'a certificate'];
  expect(await run(lookInto)).toMatchObject({ code: 1, out: '' });
  const asAdmin = { ...asUser(), SPOTKEEPER_TOKEN: system.tokens.admin };
  expect((await run(['mass-silence', 'show'], asAdmin)).out).toMatch(/30 of all 40 agents/);
  expect(await json(lookInto, asAdmin)).toEqual({ mass_silences: [] });
});

it('finds a running npm start by its run.json, and takes its admin token for the system alone', async () => {
  const tokens = { admin: system.tokens.admin, user: system.tokens.user };
  const start = { apiUrl: system.api.ready.url, clientId: system.clientId, tokens };
  writeFileSync(path.join(folder, 'run.json'), JSON.stringify(start));
  const env = { SPOTKEEPER_STATE_DIR: folder };
  expect(await json(['agents'], env)).toMatchObject({ agents: [{ agent_id: agent.id }] });
  expect(await json(['stop-switch', 'show'], env)).toEqual({ holds: false, switches: [] });
  // Its token goes nowhere else.
  expect(await run(['agents'], { ...env, SPOTKEEPER_URL: `http://${NOWHERE}` })).toMatchObject({
    code: 2,
    error: expect.stringContaining('There is no token'),
  });
});

it.each([
  [['keep-alive', 'web-shop', '--minutes', 'soon'], 'it takes a number above 0'],
  [['keep-alive', 'web-shop', '--minutes', '0'], 'it takes a number above 0'],
  [['delete', 'web-shop', '--instances', 'both'], 'it takes keep or retire'],
  [['stop-switch', 'maybe'], 'it takes on, off or show'],
  [['stop-switch', 'on'], 'takes --reason'],
  [['mass-silence', 'maybe'], 'it takes show or looked-into'],
  [['mass-silence', 'looked-into'], 'takes --note'],
  [['agent'], 'Missing required argument'],
  [['keep-alive', 'web-shop', '--url', 'nowhere'], 'it takes one such as http://'],
])('calls %j bad usage', async (args, sentence) => {
  let stderr = '';
  const write = jest
    .spyOn(process.stderr, 'write')
    .mockImplementation((text) => Boolean((stderr += String(text))));
  const { code, error } = await run(args);
  write.mockRestore();
  expect([code, error + stderr]).toEqual([2, expect.stringContaining(sentence)]);
});

it.each([
  ['no agent is called that', ['agent', 'nobody'], {}, 'There is no agent "nobody"'],
  ['the API refuses a filter', ['agents', '--status', 'tired'], {}, 'status'],
  [
    'the token is unknown',
    ['agents', '--client', 'test'],
    { SPOTKEEPER_TOKEN: 'sku_nobody' },
    'unknown or was revoked',
  ],
  [
    'nothing runs',
    ['agents'],
    { SPOTKEEPER_URL: '', SPOTKEEPER_STATE_DIR: '/nowhere' },
    'there is no /nowhere/run.json',
  ],
])('says so where %s, and fails', async (_, args, env, sentence) => {
  const failed = await run(args, { ...asUser(), ...env });
  expect(failed).toEqual({ code: 1, out: '', error: expect.stringContaining(sentence) });
  const reply = await json(args, { ...asUser(), ...env });
  expect(reply).toMatchObject({ success: false, error: { message: expect.stringContaining(sentence) } });
});

it('asks whether it runs where nothing listens', async () => {
  const url = `http://127.0.0.1:${await anyFreePort()}`;
  const { code, error } = await run(['agents', '--url', url]);
  expect([code, error]).toEqual([1, `The API at ${url} is not reachable (ECONNREFUSED): is it running?`]);
});

it('says so where something else answers', async () => {
  const server: Server = createServer((_, response) => response.end('<html>'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { code, error } = await run(['agents', '--client', 'x', '--url', url]);
  await new Promise((resolve) => server.close(resolve));
  expect([code, error]).toEqual([
    1,
    `What answers at ${url} is not Spotkeeper's API: it sent something else than JSON.`,
  ]);
});

it('deletes no agent that nobody confirmed, and one that somebody did', async () => {
  const unasked = await run(['delete', 'web-shop']);
  expect(unasked).toMatchObject({
    code: 2,
    error: expect.stringMatching(/^Nobody can be asked here: Delete agent/),
  });
  // As a person would run it, in a process of its own.
  const { code, stdout } = await new Promise<{ code: number; stdout: string }>((resolve) => {
    const args = [path.join(ROOT, 'bin', 'spotkeeper.mjs'), 'delete', 'web-shop', '--yes', '--json'];
    execFile(process.execPath, args, { env: { ...process.env, ...asUser() } }, (error, out) =>
      resolve({ code: error ? Number(error.code) : 0, stdout: out }),
    );
  });
  expect([code, JSON.parse(stdout)]).toEqual([
    0,
    expect.objectContaining({ success: true, agent_id: agent.id, retirement_workflow_id: null }),
  ]);
  expect((await run(['agents'])).out).toBe('This client has no agents yet.');
  expect((await run(['agent', agent.id])).out).toMatch(/Status +deleted/);
});
