/** `GET /api/events`: each client's own events, as they are committed, from where the reader left off. */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { SystemEventView } from '../../contracts/http';
import { NOWHERE, RunningApi } from '../harness/running-api';
import { until } from '../harness/until';

let running: RunningApi;
const readers: Reader[] = [];

beforeAll(async () => {
  running = await RunningApi.start({ env: { TEMPORAL_ADDRESS: NOWHERE } });
});

afterEach(() => {
  for (const reader of readers.splice(0)) reader.close();
});

afterAll(() => running.stop());

class Reader {
  readonly events: SystemEventView[] = [];
  ended = false;
  private readonly closing = new AbortController();

  static async open(token: string, headers: Record<string, string> = {}, query = ''): Promise<Reader> {
    const reader = new Reader();
    readers.push(reader);
    const response = await fetch(`${running.url}/api/events${query}`, {
      headers: { authorization: `Bearer ${token}`, ...headers },
      signal: reader.closing.signal,
    });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    void reader.read(response.body!);
    return reader;
  }

  close(): void {
    this.closing.abort();
  }

  async messages(count: number): Promise<string[]> {
    await until(`${count} events`, () => this.events.length >= count, 10_000);
    return this.events.map((event) => event.message);
  }

  private async read(body: ReadableStream<Uint8Array>): Promise<void> {
    let text = '';
    try {
      for await (const chunk of body) {
        text += Buffer.from(chunk).toString();
        const parts = text.split('\n\n');
        text = parts.pop()!;
        for (const part of parts) {
          const fields = Object.fromEntries(part.split('\n').map((line) => line.split(/: (.*)/s, 2)));
          if (fields.data) this.events.push(JSON.parse(fields.data) as SystemEventView);
          if (fields.id) expect(this.events.at(-1)!.id).toBe(fields.id);
        }
      }
    } catch (error) {
      if (!this.closing.signal.aborted) throw error;
    }
    this.ended = true;
  }
}

let count = 0;

function addEvent(clientId: string, message: string, query = running.sql.query.bind(running.sql)) {
  return query(
    `insert into system_events (event_key, client_id, event_type, severity, message)
     values ($1, $2, 'test_event', 'info', $3)`,
    [`test-${++count}`, clientId, message],
  );
}

test('a client hears of its own, an administrator of all', async () => {
  const [alpha, beta, admin] = await Promise.all([
    Reader.open(running.alpha.user),
    Reader.open(running.beta.client),
    Reader.open(running.alpha.admin),
  ]);
  await addEvent('alpha', 'one');
  await addEvent('beta', 'two');
  await addEvent('alpha', 'three');
  expect(await admin.messages(3)).toEqual(['one', 'two', 'three']);
  expect(await alpha.messages(2)).toEqual(['one', 'three']);
  expect(await beta.messages(1)).toEqual(['two']);
});

test('a reader goes on where it left off, by header or by query', async () => {
  await addEvent('beta', 'before');
  const first = await Reader.open(running.beta.client, {}, '?after=0');
  await until('the past is read', () => first.events.some((event) => event.message === 'before'), 10_000);
  const left = first.events.at(-1)!.id;
  first.close();
  await addEvent('beta', 'missed 1');
  await addEvent('alpha', 'of another');
  await addEvent('beta', 'missed 2');
  const byHeader = await Reader.open(running.beta.client, { 'last-event-id': left });
  const byQuery = await Reader.open(running.beta.client, {}, `?after=${left}`);
  await addEvent('beta', 'new');
  expect(await byHeader.messages(3)).toEqual(['missed 1', 'missed 2', 'new']);
  expect(await byQuery.messages(3)).toEqual(['missed 1', 'missed 2', 'new']);
});

test('a reader may begin with the latest events', async () => {
  for (const message of ['old', 'late', 'latest']) await addEvent('beta', message);
  await addEvent('alpha', 'of another');
  const reader = await Reader.open(running.beta.client, {}, '?last=2');
  expect(await reader.messages(2)).toEqual(['late', 'latest']);
  await addEvent('beta', 'new');
  expect(await reader.messages(3)).toEqual(['late', 'latest', 'new']);
  const refused = await running.call('GET', '/api/events?last=501', running.beta.client);
  expect(refused).toMatchObject({ status: 400, body: { code: 'invalid_query' } });
});

test('an event with a lower id that is committed later is not missed', async () => {
  const reader = await Reader.open(running.alpha.user);
  const { Client } = await import('pg');
  const slow = new Client({ connectionString: running.database.url });
  await slow.connect();
  try {
    await slow.query('begin');
    await addEvent('alpha', 'first, committed last', slow.query.bind(slow) as never);
    await addEvent('alpha', 'second, committed first');
    await reader.messages(1);
    await slow.query('commit');
  } finally {
    await slow.end();
  }
  expect(await reader.messages(2)).toEqual(['second, committed first', 'first, committed last']);
});

test('more events than a page come all, in order', async () => {
  const reader = await Reader.open(running.alpha.user);
  await running.sql.query(
    `insert into system_events (event_key, client_id, event_type, severity, message)
     select 'many-' || n, 'alpha', 'test_event', 'info', n::text from generate_series(1, 1200) n`,
  );
  expect(await reader.messages(1200)).toEqual(Array.from({ length: 1200 }, (_, index) => String(index + 1)));
});

test('what happened while the connection to the database was broken is read after it', async () => {
  const reader = await Reader.open(running.alpha.user);
  await addEvent('alpha', 'heard');
  await reader.messages(1);
  const { rowCount } = await running.sql.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'spotkeeper-system-events'
     and datname = current_database()`,
  );
  expect(rowCount).toBe(1);
  await addEvent('alpha', 'unheard');
  expect(await reader.messages(2)).toEqual(['heard', 'unheard']);
});

test('a stop of the API ends the streams, and waits for no connection that never asked', async () => {
  const reader = await Reader.open(running.alpha.user);
  const mute = connect(Number(new URL(running.url).port), '127.0.0.1');
  await once(mute, 'connect');
  expect(await running.api.stop()).toBe(true);
  await until('the stream has ended', () => reader.ended, 5_000);
  mute.destroy();
});
