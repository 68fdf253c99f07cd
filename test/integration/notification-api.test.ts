/** Channels by HTTP, with a worker behind the API: who may make and see them, a test message, and a worker killed in the middle. */
import { createHmac } from 'node:crypto';
import { Client } from 'pg';
import { hang, HttpReceiver, status } from '../harness/receivers';
import { RunningApi, type Tokens } from '../harness/running-api';
import { until } from '../harness/until';

let running: RunningApi;
let http: HttpReceiver;
/** A user token of alpha's that only reads. */
let reader: string;
let actor: string;

beforeAll(async () => {
  http = await HttpReceiver.start();
  running = await RunningApi.start({
    worker: true,
    env: { NOTIFY_ALLOW_PRIVATE: '127.0.0.0/8', NOTIFY_SLACK_HOSTS: '127.0.0.1', NOTIFY_RELAY_MS: '200' },
  });
  const token = async (can_act: boolean) => {
    const reply = await running.call('POST', '/api/tokens', running.alpha.admin, {
      kind: 'user',
      client_id: 'alpha',
      can_act,
    });
    return reply.body['token'] as string;
  };
  [reader, actor] = [await token(false), await token(true)];
}, 120_000);
afterAll(async () => {
  await running.stop();
  http.close();
});

const ALPHA = '/api/clients/alpha/notification-channels';
const SYSTEM = '/api/notification-channels';

const webhook = (path: string, changes: object = {}) => ({
  kind: 'webhook',
  name: 'ops',
  target: http.origin + path,
  ...changes,
});

async function create(path: string, changes: object = {}, base = ALPHA, token = running.alpha.admin) {
  const reply = await running.call('POST', base, token, webhook(path, changes));
  expect(reply.status).toBe(201);
  return reply.body as { id: string; secret: string };
}

const remove = (id: string, base = ALPHA) => running.call('DELETE', `${base}/${id}`, running.alpha.admin);

it('makes a channel, shows its secret once and of its address no more than the host', async () => {
  const made = await running.call('POST', ALPHA, actor, webhook('/secret-path?key=1'));
  expect(made.status).toBe(201);
  const { secret, ...shown } = made.body;
  expect(secret).toMatch(/^skw_[\w-]{43}$/);
  expect(shown).toEqual({
    id: expect.any(String),
    client_id: 'alpha',
    kind: 'webhook',
    name: 'ops',
    target: `${http.origin}/…`,
    minimum_severity: 'warning',
    event_types: [],
    messages_per_hour: 30,
    enabled: true,
    created_at: expect.any(String),
    updated_at: expect.any(String),
  });
  const id = made.body['id'] as string;
  const read = await running.call('GET', `${ALPHA}/${id}`, reader);
  expect(read.body).toEqual(shown);
  const list = await running.call('GET', ALPHA, reader);
  expect(list.body).toEqual({ channels: [shown] });
  expect(JSON.stringify([read.body, list.body])).not.toMatch(/secret-path|skw_/);

  const changed = await running.call('PATCH', `${ALPHA}/${id}`, actor, {
    name: 'night',
    minimum_severity: 'critical',
    event_types: ['agent_hibernated', 'agent_hibernated'],
    enabled: false,
  });
  expect(changed.body).toMatchObject({
    name: 'night',
    minimum_severity: 'critical',
    event_types: ['agent_hibernated'],
    enabled: false,
    target: `${http.origin}/…`,
  });
  expect(changed.body).not.toHaveProperty('secret');
  const rotated = await running.call('PATCH', `${ALPHA}/${id}`, actor, { rotate_secret: true });
  expect(rotated.body['secret']).toMatch(/^skw_/);
  expect(rotated.body['secret']).not.toBe(secret);

  expect((await running.call('DELETE', `${ALPHA}/${id}`, actor)).status).toBe(204);
  expect((await running.call('GET', `${ALPHA}/${id}`, actor)).status).toBe(404);
  expect((await running.call('DELETE', `${ALPHA}/${id}`, actor)).status).toBe(404);
  const { rows } = await running.sql.query('select target, secret from notification_channels where id = $1', [
    id,
  ]);
  expect(rows).toEqual([{ target: '', secret: null }]);
});

it.each<[string, object, string | RegExp]>([
  ['a kind that isn’t there', { kind: 'pager' }, /kind: is slack, email or webhook/],
  ['no address', { target: 'ops' }, /target: is not an address/],
  ['a file', { target: 'file:///etc/passwd' }, /target: must begin with https/],
  ['the metadata service', { target: 'https://169.254.169.254/' }, /target: names 169\.254\.169\.254/],
  ['a private network', { target: 'https://10.0.0.8/' }, /not a public address/],
  ['plain HTTP in public', { target: 'http://1.1.1.1/' }, /must begin with https/],
  ['another Slack', { kind: 'slack', target: 'https://example.com/' }, /target: must be on 127\.0\.0\.1/],
  ['another header', { kind: 'email', target: 'a@b.c\r\nBcc: d@e.f' }, /not a mail address/],
  ['no name', { name: ' ' }, /name:/],
  ['a name of two lines', { name: 'a\nb' }, /name: holds control characters/],
  ['a severity that isn’t there', { minimum_severity: 'dire' }, /minimum_severity/],
  ['a type of event that can’t be', { event_types: ['DROP TABLE'] }, /event_types/],
  ['no messages at all', { messages_per_hour: 0 }, /messages_per_hour/],
])('refuses %s', async (_, changes, why) => {
  const reply = await running.call('POST', ALPHA, running.alpha.admin, webhook('/', changes));
  expect(reply.status).toBe(422);
  expect(reply.body['detail']).toMatch(why);
});

it('refuses a change that the kind can’t have, or of nothing', async () => {
  const reply = await running.call('POST', ALPHA, actor, {
    kind: 'email',
    name: 'mail',
    target: 'a@example.com',
  });
  expect(reply.body).not.toHaveProperty('secret');
  expect(reply.body['target']).toBe('a@example.com');
  const id = reply.body['id'] as string;
  for (const [body, why] of [
    [{ rotate_secret: true }, /has no secret/],
    [{ target: 'https://example.com/' }, /not a mail address/],
    [{}, /nothing to change/],
  ] as const) {
    const refused = await running.call('PATCH', `${ALPHA}/${id}`, actor, body);
    expect([refused.status, refused.body['detail']]).toEqual([422, expect.stringMatching(why)]);
  }
  await remove(id);
});

describe('who may', () => {
  let id: string;
  let ofSystem: string;
  beforeAll(async () => {
    ({ id } = await create('/alpha'));
    ({ id: ofSystem } = await create('/system', { minimum_severity: 'critical' }, SYSTEM));
  });
  afterAll(async () => {
    await remove(id);
    await remove(ofSystem, SYSTEM);
  });

  const requests = (channelId: string, base: string): [string, string, object?][] => [
    ['GET', base],
    ['POST', base, webhook('/x')],
    ['GET', `${base}/${channelId}`],
    ['PATCH', `${base}/${channelId}`, { name: 'taken' }],
    ['DELETE', `${base}/${channelId}`],
    ['POST', `${base}/${channelId}/test`, {}],
    ['GET', `${base}/${channelId}/deliveries`],
  ];

  it.each<keyof Tokens>(['client', 'user'])('another client’s %s token finds nothing', async (kind) => {
    const before = await running.contents();
    for (const [method, path, body] of requests(id, ALPHA)) {
      expect((await running.call(method, path, running.beta[kind], body)).status).toBe(404);
    }
    // Nor by way of its own address.
    for (const [method, path, body] of requests(id, '/api/clients/beta/notification-channels').slice(2)) {
      const { status: code } = await running.call(method, path, running.beta[kind], body);
      expect([404, 403]).toContain(code);
    }
    expect(await running.contents()).toBe(before);
  });

  it('a user that only reads changes nothing', async () => {
    for (const [method, path, body] of requests(id, ALPHA)) {
      const { status: code } = await running.call(method, path, reader, body);
      expect(code).toBe(method === 'GET' ? 200 : 403);
    }
  });

  it('only an administrator sees the whole system’s, and not among a client’s', async () => {
    for (const token of [running.alpha.client, actor, reader]) {
      for (const [method, path, body] of requests(ofSystem, SYSTEM)) {
        expect((await running.call(method, path, token, body)).status).toBe(403);
      }
    }
    const { body } = await running.call('GET', SYSTEM, running.alpha.admin);
    expect(body['channels']).toMatchObject([{ id: ofSystem, client_id: null }]);
    expect((await running.call('GET', `${SYSTEM}/${id}`, running.alpha.admin)).status).toBe(404);
    expect((await running.call('GET', `${ALPHA}/${ofSystem}`, running.alpha.admin)).status).toBe(404);
  });

  it.each(['nope', '%00', '00000000-0000-0000-0000-000000000000'])(
    'a channel %s is not there',
    async (wrong) => {
      expect((await running.call('GET', `${ALPHA}/${wrong}`, running.alpha.admin)).status).toBe(404);
    },
  );

  it('no client that isn’t there', async () => {
    for (const wrong of ['nobody', '*', '%00']) {
      const reply = await running.call(
        'GET',
        `/api/clients/${wrong}/notification-channels`,
        running.alpha.admin,
      );
      expect(reply.status).toBe(404);
    }
  });
});

it('takes twenty channels and no more', async () => {
  const ids: string[] = [];
  const base = '/api/clients/beta/notification-channels';
  for (let at = 0; at < 20; at++) ids.push((await create(`/${at}`, {}, base)).id);
  const reply = await running.call('POST', base, running.alpha.admin, webhook('/21'));
  expect([reply.status, reply.body['code']]).toEqual([409, 'too_many']);
  for (const id of ids) await remove(id, base);
});

describe('a test', () => {
  it('arrives signed, and says that nothing has happened', async () => {
    const { id, secret } = await create('/tested');
    const reply = await running.call('POST', `${ALPHA}/${id}/test`, actor, {});
    expect(reply).toMatchObject({
      status: 200,
      body: { delivered: true, message: 'It was answered with 200.' },
    });
    const [post] = http.to('/tested');
    const [, at, digest] = /^t=(\d+),v1=(\w+)$/.exec(String(post!.headers['spotkeeper-signature']))!;
    expect(createHmac('sha256', secret).update(`${at}.${post!.body}`).digest('hex')).toBe(digest);
    expect(JSON.parse(post!.body)).toMatchObject({
      id: reply.body['delivery_id'],
      type: 'test',
      title: 'A test of this channel, asked for by a user token: nothing has happened',
    });
    const listed = await running.call('GET', `${ALPHA}/${id}/deliveries`, reader);
    expect(listed.body['deliveries']).toMatchObject([
      { id: reply.body['delivery_id'], kind: 'test', status: 'delivered', attempts: 1, response_status: 200 },
    ]);
    await remove(id);
  });

  it('says what came of it, and nothing of what the answer held', async () => {
    const { id } = await create('/broken');
    http.answerNext('/broken', status(500));
    const reply = await running.call('POST', `${ALPHA}/${id}/test`, actor, {});
    expect(reply).toMatchObject({ status: 200, body: { delivered: false } });
    expect(reply.body['message']).toMatch(/answered 500 Internal Server Error\.$/);
    expect(http.to('/broken')).toHaveLength(1); // A person can try again.
    const mail = await running.call('POST', ALPHA, actor, {
      kind: 'email',
      name: 'm',
      target: 'a@example.com',
    });
    const tried = await running.call('POST', `${ALPHA}/${String(mail.body['id'])}/test`, actor, {});
    expect(tried.body['message']).toMatch(/has no mail server/);
    await remove(id);
    await remove(mail.body['id'] as string);
  });

  it('runs once at a time', async () => {
    const { id } = await create('/slow');
    let release: () => void = () => undefined;
    http.answerNext('/slow', (response) => {
      release = () => response.writeHead(200).end();
    });
    const first = running.call('POST', `${ALPHA}/${id}/test`, actor, {});
    await http.arrived('/slow', 1);
    const second = await running.call('POST', `${ALPHA}/${id}/test`, actor, {});
    expect([second.status, second.body['code']]).toEqual([409, 'test_running']);
    release();
    expect((await first).body).toMatchObject({ delivered: true });
    await remove(id);
  });
});

describe('a worker killed', () => {
  let id: string;
  let path: string;
  let count = 0;

  beforeEach(async () => {
    path = `/killed-${++count}`;
    ({ id } = await create(path));
  });
  afterEach(() => remove(id));

  const happen = () =>
    running.sql.query(
      `insert into system_events (event_key, client_id, event_type, severity, message, details)
       values ($1, 'alpha', 'needs_operator', 'critical', 'Help.', jsonb_build_object('cause', $1::text))`,
      [path],
    );

  async function delivered(): Promise<Record<string, unknown>[]> {
    let deliveries: Record<string, unknown>[] = [];
    await until(
      'it is delivered',
      async () => {
        const { body } = await running.call('GET', `${ALPHA}/${id}/deliveries`, reader);
        deliveries = body['deliveries'] as Record<string, unknown>[];
        return deliveries[0]?.['status'] === 'delivered';
      },
      40_000,
    );
    return deliveries;
  }

  it('while it sends: the message goes out again under the same id', async () => {
    http.answerNext(path, hang);
    await happen();
    const [first] = await http.arrived(path, 1);
    await running.worker!.kill();
    await running.worker!.restart();
    const deliveries = await delivered();
    const [, second, ...more] = http.to(path);
    expect(more).toEqual([]);
    expect(second!.headers['idempotency-key']).toBe(first!.headers['idempotency-key']);
    expect(second!.body).toBe(first!.body);
    expect(deliveries).toMatchObject([{ id: first!.headers['idempotency-key'], attempts: 2, events: 1 }]);
  }, 90_000);

  it.each([
    ['while it puts events into groups', 'notification_events'],
    ['while it composes a message', 'notification_deliveries'],
  ])(
    '%s: nothing is lost and nothing sent twice',
    async (_, table) => {
      const holder = new Client({ connectionString: running.database.url });
      await holder.connect();
      await holder.query(`
      create or replace function hold() returns trigger language plpgsql as
        $$ begin perform pg_advisory_xact_lock(4711); return new; end $$;
      create trigger hold before insert on ${table} for each row execute function hold();
      select pg_advisory_lock(4711)`);
      await happen();
      await until(
        'a transaction waits for the lock',
        async () => {
          const { rows } = await holder.query(
            `select from pg_locks where locktype = 'advisory' and objid = 4711 and not granted
             and database = (select oid from pg_database where datname = current_database())`,
          );
          return rows.length > 0;
        },
        30_000,
      );
      await running.worker!.kill();
      await holder.query('select pg_advisory_unlock(4711)');
      await holder.query(`drop trigger hold on ${table}`);
      await holder.end();
      await running.worker!.restart();
      expect(await delivered()).toMatchObject([{ attempts: 1, events: 1 }]);
      expect(http.to(path)).toHaveLength(1);
    },
    90_000,
  );
});
