/**
 * I5 for reads: what GET shows of one client, another client's tokens don't see. The table has every GET route of the
 * API: one that is added without a line here fails the first test.
 */
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../harness/servers';
import { NOWHERE, RunningApi } from '../harness/running-api';

/** Everything of alpha's has this in it. */
const MARK = 'alphas-own';
const CHANNEL = randomUUID();

/**
 * By route: the address that names what is alpha's, and what beta hears of it: `refused` (404, or 403 where only
 * another kind of token may ask), or `empty`, its own part, in which nothing of alpha's is.
 */
const CLIENT_ROUTES: Record<string, { address?: string; beta: 'refused' | 'empty' }> = {
  '/api/clients': { beta: 'empty' },
  '/api/clients/:clientId/stop-switch': { beta: 'refused' },
  '/api/stop-switch': { beta: 'empty' },
  '/api/clients/:clientId/mass-silence': { beta: 'refused' },
  '/api/mass-silences': { beta: 'empty' },
  '/api/client/:clientId/agents': { beta: 'refused' },
  '/api/client/:clientId/agents/history': { beta: 'refused' },
  '/api/agents/:agentId': { beta: 'refused' },
  '/api/agents/:agentId/history': { beta: 'refused' },
  '/api/agents/:agentId/instances': { beta: 'refused' },
  '/api/agents/:agentId/replicas': { beta: 'refused' },
  '/api/agents/:agentId/replicas/:replicaId/standing': { beta: 'refused' },
  '/api/agents/:agentId/samples': { beta: 'refused' },
  '/api/agent/instances': { beta: 'empty' },
  '/api/agent/instances?client_id': { address: '/api/agent/instances?client_id=alpha', beta: 'refused' },
  '/api/agent/instances/:instanceId': { beta: 'refused' },
  '/api/agent/instances/:instanceId?client_id': {
    address: '/api/agent/instances/:instanceId?client_id=alpha',
    beta: 'refused',
  },
  '/api/clients/:clientId/notification-channels': { beta: 'refused' },
  '/api/clients/:clientId/notification-channels/:channelId': { beta: 'refused' },
  '/api/clients/:clientId/notification-channels/:channelId/deliveries': { beta: 'refused' },
  '/api/notification-channels': { beta: 'refused' },
  '/api/notification-channels/:channelId': { beta: 'refused' },
  '/api/notification-channels/:channelId/deliveries': { beta: 'refused' },
};

/** The page, what is of nobody, or a stream with tests of its own (api-events). */
const OTHERS = ['/', '/health', '/ready', '/metrics', '/downloads/agent/latest/…', '/api/events'];

let running: RunningApi;
let agentToken: string;

beforeAll(async () => {
  running = await RunningApi.start({ env: { TEMPORAL_ADDRESS: NOWHERE } });
  const { sql } = running;
  const instance = { instanceId: `${MARK}-machine`, role: 'primary', incarnation: 1 } as const;
  await running.bookAgent('alpha', `${MARK}-agent`, [instance]);
  await sql.query(
    `insert into instances (client_id, id, agent_id, instance_type, az, region, account_id, mode, instance_status)
     values ('alpha', $1, $2, 'p3', 'us-east-1a', 'us-east-1', '1', 'spot', 'primary')`,
    [instance.instanceId, `${MARK}-agent`],
  );
  await sql.query(
    `insert into leases (agent_id, instance_id, client_id, revision, state, health, heartbeats, first_heartbeat_at,
       last_heartbeat_at, lease_until) values ($1, $2, 'alpha', 1, 'live', 'healthy', 1, now(), now(), now())`,
    [`${MARK}-agent`, instance.instanceId],
  );
  await sql.query(
    'insert into heartbeat_samples (lease_id, online, healthy) select id, true, true from leases',
  );
  await sql.query(
    `insert into notification_channels (id, client_id, kind, name, target, shown_target, minimum_severity, messages_per_hour)
     values ($1, 'alpha', 'slack', $2, 'https://example.com', $2, 'info', 1)`,
    [CHANNEL, MARK],
  );
  await sql.query(
    `insert into mass_silences (client_id, agents, silent_agents, closed_at, closed_by, note)
     values ('alpha', 10, 9, null, null, null), ('alpha', 10, 9, now(), 'a person', $1)`,
    [MARK],
  );
  await sql.query(
    `insert into replica_instances (id, client_id, agent_id, instance_id, replica_type, instance_status)
     values ($1, 'alpha', $2, $3, 'manual', 'syncing')`,
    [`${MARK}-agent-r1`, `${MARK}-agent`, `${MARK}-replica`],
  );
  await running.bookAgent('beta', 'betas-agent', [{ instanceId: 'b-1', role: 'primary', incarnation: 1 }]);
  const { rows } = await sql.query<{ token: string }>(
    `insert into tokens (token_hash, kind, client_id, agent_id, instance_id, incarnation)
     values (sha256('ski_fedcba9876543210'), 'agent', 'beta', 'betas-agent', 'b-1', 1)
     returning 'ski_fedcba9876543210' as token`,
  );
  agentToken = rows[0]!.token;
});
afterAll(() => running.stop());

const addressOf = (route: string, address = route) =>
  address
    .replace(':clientId', 'alpha')
    .replace(':agentId', `${MARK}-agent`)
    .replace(':replicaId', `${MARK}-agent-r1`)
    .replace(':instanceId', `${MARK}-machine`)
    .replace(':channelId', CHANNEL);

test('the table has every route of the API', async () => {
  const known = [...Object.keys(CLIENT_ROUTES).map((name) => name.split('?')[0]!), ...OTHERS];
  for (const route of routesInSource()) {
    if (known.includes(route)) continue;
    // Not for GET, then.
    const headers = { authorization: `Bearer ${running.alpha.admin}` };
    const { status } = await fetch(running.url + addressOf(route), { headers });
    expect(`${route}: ${status}`).toBe(`${route}: 405`);
  }
});

describe.each(Object.entries(CLIENT_ROUTES))('%s', (route, { address, beta }) => {
  const url = addressOf(route, address);

  test("another client's tokens see nothing of it", async () => {
    for (const token of [running.beta.client, running.beta.user, agentToken]) {
      const { status, body } = await running.call('GET', url, token);
      expect(JSON.stringify(body)).not.toContain(MARK);
      expect(beta === 'refused' || token === agentToken ? [403, 404] : [200]).toContain(status);
    }
  });

  test('without a token, or with a wrong one, nobody sees it', async () => {
    expect((await running.send('GET', url, {})).status).toBe(401);
    expect((await running.call('GET', url, 'skc_0123456789abcdef')).status).toBe(401);
  });

  // Some are an administrator's, and one a replica's own.
  const isAnyones = !route.startsWith('/api/notification') && !route.endsWith('clients');
  if (isAnyones && !route.includes(':channelId') && !route.includes(':replicaId')) {
    test('its own tokens do', async () => {
      for (const token of [running.alpha.client, running.alpha.user]) {
        const { status, body } = await running.call('GET', url, token);
        expect(status).toBe(200);
        if (
          !route.includes('stop-switch') &&
          !route.endsWith('mass-silences') &&
          !route.endsWith('history')
        ) {
          expect(JSON.stringify(body)).toContain(MARK);
        }
      }
    });
  }
});

/** The addresses that `route(router, …)` is given, wherever in api/ it is called. */
function routesInSource(): string[] {
  const files = readdirSync(path.join(ROOT, 'api'), { recursive: true, encoding: 'utf8' });
  const routes = files
    .filter((file) => file.endsWith('.ts') && !file.endsWith(`http${path.sep}route.ts`))
    .flatMap((file) => {
      const text = readFileSync(path.join(ROOT, 'api', file), 'utf8');
      const bases = [...text.matchAll(/addRoutes\('([^']+)'/g)].map((match) => match[1]!);
      return [...text.matchAll(/(?:\broute\(\s*router,|router\.get\()\s*('[^']+'|`[^`]+`|\w+),/g)].flatMap(
        (match) => {
          const given = match[1]!;
          if (given.startsWith("'")) return [given.slice(1, -1)];
          const template = given.startsWith('`') ? given.slice(1, -1) : `\${${given}}`;
          if (template.includes('${base}')) return bases.map((base) => template.replace('${base}', base));
          return [template.replace(/\$\{.*$/, '…')];
        },
      );
    });
  expect(routes.length).toBeGreaterThan(20);
  return [...new Set(routes)];
}
