/** The stop switches over HTTP: who sets and lifts them, and what people are told of it. */
import { RunningApi } from '../harness/running-api';

let running: RunningApi;

beforeAll(async () => {
  running = await RunningApi.start();
  await running.sql.query(
    `insert into notification_channels (client_id, kind, name, target, shown_target, minimum_severity, messages_per_hour)
     values ('alpha', 'slack', 'ops', 'x', 'x', 'warning', 60)`,
  );
});
afterAll(() => running?.stop());
beforeEach(() => running.sql.query('truncate stop_switches, system_events cascade'));

const events = async () =>
  (
    await running.sql.query<Record<string, unknown>>(
      `select client_id, event_type, severity, message, details from system_events order by id, client_id`,
    )
  ).rows;
const queued = async () => (await running.sql.query('select audience from notification_queue')).rows;

const OWN = '/api/clients/alpha/stop-switch';
const SYSTEM = '/api/stop-switch';

it("tells of a client's switch when it is set and when it is lifted, once each", async () => {
  const { client, user } = running.alpha;
  for (const reason of ['a wrong policy', 'another reason']) {
    expect((await running.call('PUT', OWN, user, { reason })).body).toMatchObject({
      holds: true,
      switches: [{ scope: 'client', reason: 'a wrong policy' }],
    });
  }
  expect(await events()).toEqual([
    {
      client_id: 'alpha',
      event_type: 'stop_switch_set',
      severity: 'warning',
      message: expect.stringMatching(
        /^The stop switch of client alpha was set by a user token of alpha: a wrong/,
      ),
      details: { scope: 'client', reason: 'a wrong policy', by: 'a user token of alpha' },
    },
  ]);
  expect(await queued()).toEqual([{ audience: 'alpha' }]);
  for (let time = 0; time < 2; time += 1) {
    expect((await running.call('DELETE', OWN, client)).body).toMatchObject({ holds: false });
  }
  expect((await events()).slice(1)).toEqual([
    {
      client_id: 'alpha',
      event_type: 'stop_switch_lifted',
      severity: 'info',
      message: expect.stringMatching(
        /was lifted by a client token of alpha; a user token of alpha had set it/,
      ),
      details: expect.objectContaining({ by: 'a client token of alpha', set_by: 'a user token of alpha' }),
    },
  ]);
  await running.call('PUT', OWN, user, { reason: 'again' });
  expect((await events()).map((event) => event['event_type'])).toEqual([
    'stop_switch_set',
    'stop_switch_lifted',
    'stop_switch_set',
  ]);
});

it("tells every client of the system's switch", async () => {
  const { admin } = running.alpha;
  await Promise.all([1, 2, 3].map(() => running.call('PUT', SYSTEM, admin, { reason: 'a move' })));
  const told = await events();
  expect(told.map((event) => [event['client_id'], event['event_type'], event['details']])).toEqual(
    ['alpha', 'beta'].map((client) => [
      client,
      'stop_switch_set',
      { scope: 'system', reason: 'a move', by: 'an administrator' },
    ]),
  );
  expect(await queued()).toEqual([{ audience: 'alpha' }]);
  await running.call('DELETE', SYSTEM, admin);
  expect((await events()).slice(2).map((event) => [event['client_id'], event['event_type']])).toEqual([
    ['alpha', 'stop_switch_lifted'],
    ['beta', 'stop_switch_lifted'],
  ]);
});

it('tells nothing of what was refused', async () => {
  const { admin, user } = running.alpha;
  expect((await running.call('PUT', SYSTEM, user, { reason: 'x' })).status).toBe(403);
  expect((await running.call('PUT', OWN, running.beta.client, { reason: 'x' })).status).toBe(404);
  expect((await running.call('PUT', OWN, user, { reason: ' ' })).status).toBe(422);
  expect((await running.call('PUT', '/api/clients/nobody/stop-switch', admin, { reason: 'x' })).status).toBe(
    404,
  );
  expect((await running.call('DELETE', OWN, user)).status).toBe(200);
  expect(await events()).toEqual([]);
});
