/**
 * From events to messages on the real Temporal server, with real HTTP and SMTP servers to receive them. What is critical
 * is told within seconds, so these tests wait for no window; the windows of the rest are tested in skipped time.
 */
import type { Client } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { randomUUID } from 'node:crypto';
import { Client as PostgresClient } from 'pg';
import { createChildActivities } from '../../activities/child-activities';
import {
  createNotificationActivities,
  type DeliveryAttempt,
  type NotificationDependencies,
} from '../../activities/notifications/notification-activities';
import { notifyWorkflowId, type NotifyStateView } from '../../contracts/notifications';
import { connectDatabase, type Db } from '../../db/connect';
import { announceWaitingEvents } from '../../db/notification-relay';
import { notifyStarter } from '../../temporal/notify-starter';
import { createTestDatabase, type TestDatabase } from '../harness/database';
import { recordHistory } from '../harness/histories';
import { hang, HttpReceiver, MailReceiver, type ReceivedPost, status } from '../harness/receivers';
import {
  connectTemporal,
  type TemporalClient,
  startTimeSkipping,
  uniqueTaskQueue,
} from '../harness/temporal';
import { until } from '../harness/until';
import { installRuntime, WORKFLOW_BUNDLE } from '../harness/workers';

let temporal: TemporalClient;
let connection: NativeConnection;
let database: TestDatabase;
let sql: PostgresClient;
let db: Db;
let http: HttpReceiver;
let mail: MailReceiver;
let running: { worker: Worker; ended: Promise<void> };
const attempts: DeliveryAttempt[] = [];
const taskQueue = uniqueTaskQueue();
installRuntime();

beforeAll(async () => {
  [temporal, database, http, mail] = await Promise.all([
    connectTemporal(),
    createTestDatabase(),
    HttpReceiver.start(),
    MailReceiver.start({ hideSTARTTLS: true, disabledCommands: ['STARTTLS'] }),
  ]);
  connection = await NativeConnection.connect({ address: temporal.address });
  sql = new PostgresClient({ connectionString: database.url });
  await sql.connect();
  db = connectDatabase(database.url, 'spotkeeper_worker');
  running = await startWorker(temporal.client, connection);
});
afterAll(async () => {
  running.worker.shutdown();
  await running.ended;
  await db.destroy();
  await sql.end();
  await connection.close();
  await temporal.close();
  http.close();
  await mail.close();
  await database.drop();
});

async function startWorker(client: Client, nativeConnection: NativeConnection) {
  const parts: Omit<NotificationDependencies, 'db'> = {
    webhooks: { rules: { allowedNetworks: ['127.0.0.0/8'], slackHosts: ['127.0.0.1'] }, timeoutMs: 5_000 },
    smtp: {
      host: '127.0.0.1',
      port: mail.port,
      tls: 'off',
      auth: null,
      from: 'alerts@example.com',
      certificateAuthority: null,
      timeoutMs: 5_000,
    },
    places: { apiUrl: null, dashboardUrl: null, temporalUiUrl: null, temporalNamespace: 'default' },
    attempted: (attempt) => void attempts.push(attempt),
  };
  const worker = await Worker.create({
    connection: nativeConnection,
    taskQueue,
    workflowBundle: WORKFLOW_BUNDLE,
    activities: { ...createNotificationActivities({ ...parts, db }), ...createChildActivities(client) },
  });
  return { worker, ended: worker.run() };
}
let count = 0;

/** A client of the test's own, with its channels: their paths, or for email their addresses. */
async function clientWith(
  ...channels: { kind?: string; target: string; severity?: string }[]
): Promise<{ clientId: string; channelIds: string[] }> {
  const clientId = `${taskQueue}-${++count}`;
  await sql.query('insert into clients (id, name) values ($1, $1)', [clientId]);
  const channelIds: string[] = [];
  for (const { kind = 'webhook', target, severity = 'warning' } of channels) {
    const { rows } = await sql.query<{ id: string }>(
      `insert into notification_channels (client_id, kind, name, target, shown_target, secret, minimum_severity,
         messages_per_hour) values ($1, $2, $3, $4, '…', $5, $6, 3600) returning id`,
      [
        clientId,
        kind,
        target,
        kind === 'email' ? target : http.origin + target,
        kind === 'webhook' ? 'skw_secret' : null,
        severity,
      ],
    );
    channelIds.push(rows[0]!.id);
  }
  return { clientId, channelIds };
}

async function events(
  clientId: string,
  howMany: number,
  { severity = 'critical', type = 'needs_operator' } = {},
): Promise<void> {
  await sql.query(
    `insert into system_events (event_key, client_id, agent_id, event_type, severity, message, details)
     select gen_random_uuid(), $1, $1 || '-' || n, $3, $4, 'Agent ' || n || ' needs help.', '{"zone":"us-east-1a"}'
     from generate_series(1, $2) n`,
    [clientId, howMany, type, severity],
  );
}

const relay = (client = temporal.client) => announceWaitingEvents(db, notifyStarter(client, taskQueue));
const bodyOf = (post: ReceivedPost | undefined) => JSON.parse(post!.body) as Record<string, unknown>;

async function delivery(channelId: string, wanted: string) {
  let found: Record<string, unknown> | undefined;
  await until(
    `a delivery is ${wanted}`,
    async () => {
      const { rows } = await sql.query<Record<string, unknown>>(
        'select * from notification_deliveries where channel_id = $1 and status = $2',
        [channelId, wanted],
      );
      found = rows[0];
      return found !== undefined;
    },
    30_000,
  );
  return found!;
}

it('sends a zone that fails in one message to each channel, and nothing to another client’s', async () => {
  const id = randomUUID();
  const { clientId, channelIds } = await clientWith(
    { target: `/hook-${id}` },
    { kind: 'slack', target: `/slack-${id}` },
    { kind: 'email', target: `${id}@example.com` },
  );
  await clientWith({ target: `/other-${id}` });
  await events(clientId, 100);
  await relay();
  for (const channelId of channelIds) await delivery(channelId, 'delivered');
  expect(http.to(`/hook-${id}`)).toHaveLength(1);
  expect(bodyOf(http.to(`/hook-${id}`)[0])).toMatchObject({
    client_id: clientId,
    severity: 'critical',
    notifications: [{ event_count: 100, zone: 'us-east-1a' }],
  });
  expect(http.to(`/slack-${id}`)).toHaveLength(1);
  expect(mail.mails.filter((one) => one.to.includes(`${id}@example.com`))).toHaveLength(1);
  expect(http.to(`/other-${id}`)).toEqual([]);

  const handle = temporal.client.workflow.getHandle(notifyWorkflowId(clientId));
  expect(await handle.query<NotifyStateView>('notifyState')).toMatchObject({
    audience: clientId,
    groups: [{ events: 100, told: 100, dueAt: null }],
    rejectedMessages: [],
  });
  await handle.signal('deliveryEnded', 'nonsense');
  await until(
    'it is recorded',
    async () => (await handle.query<NotifyStateView>('notifyState')).rejectedMessages.length === 1,
    10_000,
  );
});

it('tries again after a failure, waits as long as it is asked to, and delivers under the same id', async () => {
  const path = `/flaky-${randomUUID()}`;
  http.answerNext(path, status(429, { 'retry-after': '1' }), status(429, { 'retry-after': '2' }));
  const { clientId, channelIds } = await clientWith({ target: path });
  attempts.length = 0;
  await events(clientId, 1);
  await relay();
  const delivered = await delivery(channelIds[0]!, 'delivered');
  const posts = http.to(path);
  expect(posts).toHaveLength(3);
  expect(delivered).toMatchObject({
    attempts: 3,
    response_status: 200,
    id: posts[0]!.headers['idempotency-key'],
  });
  expect(new Set(posts.map((post) => post.headers['idempotency-key'])).size).toBe(1);
  expect(new Set(posts.map((post) => post.body)).size).toBe(1);
  expect(attempts).toEqual([
    { kind: 'webhook', result: 'failed', repeated: false },
    { kind: 'webhook', result: 'failed', repeated: true },
    { kind: 'webhook', result: 'delivered', repeated: true },
  ]);
  recordHistory(`delivery:${String(delivered['id'])}`, 'delivery-retried');
});

it('gives up what can’t arrive, says so on the other channels, and goes on with what comes', async () => {
  const id = randomUUID();
  http.answerNext(`/gone-${id}`, status(410));
  const { clientId, channelIds } = await clientWith({ target: `/gone-${id}` }, { target: `/fine-${id}` });
  await events(clientId, 1);
  await relay();
  expect(await delivery(channelIds[0]!, 'failed')).toMatchObject({
    attempts: 1,
    response_status: 410,
    last_error: expect.stringMatching(/answered 410 Gone/),
  });
  expect(attempts).toContainEqual({ kind: 'webhook', result: 'refused', repeated: false });
  const { rows } = await sql.query<{ details: object }>(
    `select details from system_events where client_id = $1 and event_type = 'notification_failed'`,
    [clientId],
  );
  expect(rows).toMatchObject([{ details: { failedChannelId: channelIds[0] } }]);
  const { rows: queued } = await sql.query('select from notification_queue where audience = $1', [clientId]);
  expect(queued).toHaveLength(1);
  await events(clientId, 1, { type: 'mass_silence' });
  await relay();
  await http.arrived(`/gone-${id}`, 2);
  expect(bodyOf(http.to(`/gone-${id}`)[1])).toMatchObject({
    notifications: [{ event_type: 'mass_silence' }],
  });
});

it('is not sent any more once its channel is switched off, and can be cancelled', async () => {
  const id = randomUUID();
  http.answerNext(`/off-${id}`, status(503));
  http.answerNext(`/cancelled-${id}`, hang);
  const { clientId, channelIds } = await clientWith({ target: `/off-${id}` }, { target: `/cancelled-${id}` });
  await events(clientId, 1);
  await relay();
  await http.arrived(`/off-${id}`, 1);
  await sql.query('update notification_channels set enabled = false where id = $1', [channelIds[0]]);
  const [post] = await http.arrived(`/cancelled-${id}`, 1);
  await temporal.client.workflow.getHandle(`delivery:${String(post!.headers['idempotency-key'])}`).cancel();
  expect(await delivery(channelIds[1]!, 'cancelled')).toMatchObject({ last_error: 'A person cancelled it.' });
  expect(await delivery(channelIds[0]!, 'cancelled')).toMatchObject({ attempts: expect.any(Number) });
  expect(http.to(`/off-${id}`)).toHaveLength(1);
});

it('goes on in a new run while a message is under way, and hears of its end there', async () => {
  const id = randomUUID();
  const { clientId, channelIds } = await clientWith({ target: `/continued-${id}` });
  const handle = await temporal.client.workflow.start('notifyWorkflow', {
    workflowId: notifyWorkflowId(clientId),
    taskQueue,
    args: [{ audience: clientId, historyLimitEvents: 60 }],
  });
  // Without an event it ends at once, and the relay's word starts another; so the first events come before it.
  await handle.result();
  let release: () => void = () => undefined;
  http.answerNext(`/continued-${id}`, (response) => {
    release = () => response.writeHead(200).end();
  });
  await events(clientId, 1);
  const next = await temporal.client.workflow.signalWithStart('notifyWorkflow', {
    workflowId: notifyWorkflowId(clientId),
    taskQueue,
    args: [{ audience: clientId, historyLimitEvents: 60 }],
    signal: 'eventsWaiting',
    signalArgs: [],
  });
  await http.arrived(`/continued-${id}`, 1);
  const { runId } = await next.describe();
  const latest = temporal.client.workflow.getHandle(notifyWorkflowId(clientId));
  await until(
    'it goes on in another run',
    async () => {
      await Promise.all(Array.from({ length: 10 }, () => latest.signal('eventsWaiting')));
      return (await latest.describe()).runId !== runId;
    },
    30_000,
  );
  const view = await latest.query<NotifyStateView>('notifyState');
  expect(view).toMatchObject({
    groups: [{ events: 1, told: 1 }],
    channels: [{ channelId: channelIds[0], deliveryId: expect.any(String) }],
  });
  release();
  await delivery(channelIds[0]!, 'delivered');
  await until(
    'it knows',
    async () => (await latest.query<NotifyStateView>('notifyState')).channels[0]?.deliveryId === null,
    20_000,
  );
  recordHistory(latest.workflowId, 'notify-continued');
});

describe('in skipped time', () => {
  it('tells warnings after a quiet moment, later ones in an update, retries for a day, and ends', async () => {
    const environment = await startTimeSkipping();
    const skipping = await startWorker(environment.client, environment.nativeConnection);
    try {
      const id = randomUUID();
      http.answerNext(`/down-${id}`, ...Array.from({ length: 500 }, () => status(500)));
      const { clientId, channelIds } = await clientWith(
        { target: `/quiet-${id}` },
        { target: `/down-${id}` },
      );
      await events(clientId, 60, { severity: 'warning', type: 'agent_orphaned' });
      await relay(environment.client);
      await environment.sleep('10 s');
      await events(clientId, 40, { severity: 'warning', type: 'agent_orphaned' });
      await environment.client.workflow.getHandle(notifyWorkflowId(clientId)).signal('eventsWaiting');
      await environment.sleep('15 s');
      expect(http.to(`/quiet-${id}`)).toEqual([]);
      await environment.sleep('10 s');
      await http.arrived(`/quiet-${id}`, 1);
      await events(clientId, 3, { severity: 'warning', type: 'agent_orphaned' });
      await environment.client.workflow.getHandle(notifyWorkflowId(clientId)).signal('eventsWaiting');
      await environment.sleep('6 min');
      await http.arrived(`/quiet-${id}`, 2);
      expect(http.to(`/quiet-${id}`).map((post) => bodyOf(post)['notifications'])).toMatchObject([
        [{ event_count: 100, update: false }],
        [{ event_count: 3, event_count_in_all: 103, update: true }],
      ]);
      // The channel that is down gets its first message for a day, and then the rest in one.
      await environment.sleep('25 h');
      expect(await delivery(channelIds[1]!, 'failed')).toMatchObject({ events: 100, response_status: 500 });
      const attempts = http.to(`/down-${id}`).filter((post) => post.body === http.to(`/down-${id}`)[0]!.body);
      expect(attempts.length).toBeGreaterThan(90);
      await environment.client.workflow.getHandle(notifyWorkflowId(clientId)).result();
      expect(http.to(`/quiet-${id}`)).toHaveLength(2);
    } finally {
      skipping.worker.shutdown();
      await skipping.ended;
      await environment.teardown();
    }
  }, 120_000);
});
