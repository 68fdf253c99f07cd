/** Mass silences over HTTP: they are shown, and a person says that one was looked into. */
import { RunningApi } from '../harness/running-api';

let running: RunningApi;

beforeAll(async () => {
  // No worker: nothing is swept, and what waits in the outbox stays to be seen.
  running = await RunningApi.start();
  for (const [client, name, state] of [
    ['alpha', 'silent', 'silent'],
    ['alpha', 'resting', 'silent'],
    ['alpha', 'heard', 'live'],
    ['beta', 'other', 'silent'],
  ] as const) {
    await running.bookAgent(client, name, [{ instanceId: `i-${name}`, role: 'primary', incarnation: 1 }]);
    await running.sql.query(
      `insert into leases (agent_id, instance_id, client_id, revision, state, health, heartbeats, first_heartbeat_at,
         last_heartbeat_at, lease_until) values ($1, 'i-' || $1, $2, 1, $3, 'healthy', 1, now(), now(), now())`,
      [name, client, state],
    );
  }
  await running.sql.query(`update agents set status = 'hibernated' where id = 'resting'`);
});
afterAll(() => running?.stop());

const OWN = '/api/clients/alpha/mass-silence';

it('shows the open one, and whom it holds', async () => {
  await running.sql.query(
    `insert into mass_silences (client_id, agents, silent_agents) values ('alpha', 10, 9), ('beta', 20, 12)`,
  );
  const open = {
    client_id: 'alpha',
    began_at: expect.stringMatching(/Z$/),
    last_lost_at: expect.stringMatching(/Z$/),
    agents: 10,
    silent_agents: 9,
    still_silent: 1,
    closed_at: null,
    closed_by: null,
    note: null,
  };
  expect((await running.call('GET', OWN, running.alpha.user)).body).toEqual({
    client_id: 'alpha',
    open,
    closed: [],
  });
  expect((await running.call('GET', '/api/mass-silences', running.alpha.client)).body).toEqual({
    mass_silences: [open],
  });
  expect((await running.call('GET', '/api/mass-silences', running.alpha.admin)).body).toMatchObject({
    mass_silences: [
      { client_id: 'beta', still_silent: 1 },
      { client_id: 'alpha', still_silent: 1 },
    ],
  });
});

it('takes the word of those who may act in the client, and changes nothing otherwise', async () => {
  const before = await running.contents();
  const readOnly = await running.call('POST', '/api/tokens', running.alpha.admin, {
    kind: 'user',
    client_id: 'alpha',
  });
  const refused: [string, string, object, number][] = [
    [`${OWN}/looked-into`, running.beta.client, { note: 'x' }, 404],
    [`${OWN}/looked-into`, String(readOnly.body['token']), { note: 'x' }, 403],
    [`${OWN}/looked-into`, running.alpha.user, { note: ' ' }, 422],
    [`${OWN}/looked-into`, running.alpha.user, {}, 422],
    ['/api/clients/nobody/mass-silence/looked-into', running.alpha.admin, { note: 'x' }, 404],
  ];
  for (const [route, token, body, status] of refused) {
    expect((await running.call('PUT', route, token, body)).status).toBe(status);
  }
  await running.sql.query('delete from tokens where id = $1', [readOnly.body['id']]);
  expect(await running.contents()).toBe(before);
});

it('tells those that are silent, once, and writes who said so', async () => {
  for (const note of ['a firewall', 'again']) {
    const { status, body } = await running.call('PUT', `${OWN}/looked-into`, running.alpha.user, { note });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      open: null,
      closed: [{ closed_by: 'a user token of alpha', note: 'a firewall', still_silent: 0 }],
    });
  }
  const { rows } = await running.sql.query(
    `select workflow_id, payload from outbox where signal = 'massSilenceLookedInto' order by 1`,
  );
  // It is with whoever rests to know what to make of it.
  expect(rows).toEqual(
    ['agent:resting', 'agent:silent'].map((workflow_id) => ({
      workflow_id,
      payload: { at: expect.stringMatching(/Z$/) },
    })),
  );
  const events = await running.sql.query(
    'select client_id, event_type, severity, message, details from system_events',
  );
  expect(events.rows).toEqual([
    {
      client_id: 'alpha',
      event_type: 'mass_silence_looked_into',
      severity: 'info',
      message: expect.stringMatching(/looked into by a user token of alpha: a firewall\. From now on/),
      details: { by: 'a user token of alpha', note: 'a firewall', silent_agents: 2 },
    },
  ]);
  const list = await running.call('GET', '/api/mass-silences', running.alpha.admin);
  expect(list.body).toMatchObject({ mass_silences: [{ client_id: 'beta' }] });
});

it('of the whole system are for administrators alone to see and to look into', async () => {
  await running.sql.query(
    'insert into mass_silences (client_id, agents, silent_agents) values (null, 40, 30)',
  );
  const all = '/api/mass-silences';
  const own = await running.call('GET', all, running.alpha.user);
  expect(own.body).toEqual({ mass_silences: [] });
  const shown = await running.call('GET', all, running.alpha.admin);
  expect(shown.body['mass_silences']).toContainEqual(
    expect.objectContaining({ client_id: null, agents: 40, silent_agents: 30, still_silent: null }),
  );
  const note = 'a certificate';
  for (const token of [running.alpha.user, running.alpha.client]) {
    expect((await running.call('PUT', `${all}/looked-into`, token, { note })).status).toBe(403);
  }
  const looked = await running.call('PUT', `${all}/looked-into`, running.alpha.admin, { note });
  expect(looked).toMatchObject({ status: 200, body: { mass_silences: [{ client_id: 'beta' }] } });
  const { rows } = await running.sql.query(
    'select closed_by, note, told_at from mass_silences where client_id is null',
  );
  // The sweep tells the agents, since it sees all clients'.
  expect(rows).toEqual([{ closed_by: expect.stringContaining('admin'), note, told_at: null }]);
  const events = await running.sql.query(
    `select client_id, severity from system_events where details ->> 'scope' = 'system' order by 1`,
  );
  expect(events.rows).toEqual(['alpha', 'beta'].map((client_id) => ({ client_id, severity: 'info' })));
});
