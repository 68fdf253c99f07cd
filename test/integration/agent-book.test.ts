/** What the workflows write: late and repeated writes change nothing, and one of two cut-overs wins. */
import type { AgentPublication, CutOver } from '../../contracts/activities';
import { DEFAULT_POLICY } from '../../contracts/policy-defaults';
import { commitCutOver, publishAgent } from '../../db/agent-book';
import { connectDatabase, type Db } from '../../db/connect';
import { agentOn, confirmTerminated, markTerminationAttempt, writeInstance } from '../../db/instances';
import { noteStopped } from '../../db/instance-stops';
import { createTestDatabase, type TestDatabase } from '../harness/database';
import { instanceFacts as facts } from '../harness/instance-facts';
import { seedClient } from '../harness/seed';

let database: TestDatabase;
let db: Db;

beforeAll(async () => {
  database = await createTestDatabase();
  await seedClient(database.url, 'c1');
  db = connectDatabase(database.url, 'spotkeeper_worker');
});
afterAll(async () => {
  await db?.destroy();
  await database?.drop();
});

function publication(agentId: string, over: Partial<AgentPublication> = {}): AgentPublication {
  const primary = facts(`${agentId}-1`);
  return {
    clientId: 'c1',
    agentId,
    logicalAgentId: agentId,
    revision: 1,
    status: 'online',
    health: 'healthy',
    incarnation: 1,
    primary,
    noPrimaryReason: null,
    keepAliveUntil: null,
    activeSwitch: null,
    replicaMode: 'none',
    replicas: [],
    protected: false,
    idleWarning: null,
    hibernation: null,
    policy: DEFAULT_POLICY,
    configRevision: 1,
    standings: [{ instanceId: primary.instanceId, role: 'primary', incarnation: 1 }],
    instances: [
      {
        facts: primary,
        status: 'primary',
        incarnation: 1,
        launchId: null,
        registeredAt: '2026-03-01T12:00:00Z',
        zombieSince: null,
      },
    ],
    events: [
      {
        eventType: 'agent_registered',
        severity: 'info',
        message: 'hello',
        instanceId: primary.instanceId,
        details: {},
      },
    ],
    keptInstanceIds: [],
    ...over,
  };
}

function cutOver(agentId: string, to: string): CutOver {
  return {
    clientId: 'c1',
    agentId,
    fromIncarnation: 1,
    toIncarnation: 2,
    fromInstanceId: `${agentId}-1`,
    to: facts(to),
    decidedAt: '2026-03-01T12:05:00Z',
  };
}

const agentRow = (id: string) =>
  db.selectFrom('agents').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const instanceRow = (id: string) =>
  db.selectFrom('instances').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const eventsOf = (id: string) =>
  db.selectFrom('system_events').selectAll().where('agent_id', '=', id).orderBy('id').execute();

it('writes a publication once, however often it is repeated', async () => {
  await publishAgent(db, publication('repeat'));
  await publishAgent(db, publication('repeat'));
  expect(await eventsOf('repeat')).toHaveLength(1);
  expect(await agentRow('repeat')).toMatchObject({ status: 'online', revision: '1' });
});

it('puts the revision of the configuration where heartbeats are answered from', async () => {
  const revisionOf = async () =>
    (
      await db
        .selectFrom('instance_standing')
        .select('config_revision')
        .where('agent_id', '=', 'configured')
        .executeTakeFirstOrThrow()
    ).config_revision;
  await publishAgent(db, publication('configured'));
  expect(await revisionOf()).toBe(1);
  await publishAgent(db, publication('configured', { revision: 2, configRevision: 2 }));
  expect(await revisionOf()).toBe(2);
});

it('keeps what is newer when an older publication comes late', async () => {
  await publishAgent(db, publication('late', { revision: 5, status: 'orphaned' }));
  await publishAgent(db, publication('late', { revision: 4, status: 'online' }));
  expect(await agentRow('late')).toMatchObject({ status: 'orphaned', revision: '5' });
});

it('loses nothing and tells nothing twice when a killed worker published what came out otherwise afterwards', async () => {
  const at = (run: number, historyLength: number, publishedBefore: number) => ({
    run,
    historyLength,
    publishedBefore,
  });
  const said = (message: string) => ({
    eventType: 'news',
    severity: 'info' as const,
    message,
    instanceId: null,
    details: {},
  });
  await publishAgent(
    db,
    publication('killed', { place: at(1, 10, 0), revision: 1, events: [said('before')] }),
  );
  await publishAgent(
    db,
    publication('killed', { place: at(1, 14, 1), revision: 2, events: [said('launched')] }),
  );
  // The same workflow task again, with a message more in it, which was decided first.
  const [first, second] = [
    publication('killed', {
      place: at(1, 19, 1),
      revision: 2,
      status: 'silent',
      events: [said('registered')],
    }),
    publication('killed', { place: at(1, 19, 1), revision: 3, status: 'online', events: [said('launched')] }),
  ];
  await publishAgent(db, first);
  expect(await agentRow('killed')).toMatchObject({ status: 'silent', revision: '2' });
  await publishAgent(db, second);
  await publishAgent(
    db,
    publication('killed', { place: at(1, 14, 1), revision: 9, status: 'orphaned', events: [] }),
  );
  expect(await agentRow('killed')).toMatchObject({ status: 'online', revision: '3' });
  await publishAgent(
    db,
    publication('killed', { place: at(2, 3, 3), revision: 4, events: [said('launched')] }),
  );
  const told = (await eventsOf('killed')).map(({ message }) => message);
  expect(told).toEqual(['before', 'launched', 'registered', 'launched']);
});

it('takes the machine of an agent that is heard for started, whoever started it', async () => {
  const stops = async () =>
    (await db.selectFrom('instance_stops').selectAll().where('instance_id', '=', 'woken-1').execute()).map(
      (stop) => [stop.asked_at !== null && stop.asked_at <= stop.stopped_at, stop.started_at !== null],
    );
  await publishAgent(db, publication('woken'));
  await noteStopped(db, 'c1', 'woken-1', new Date(Date.now() - 60_000).toISOString());
  await publishAgent(db, publication('woken', { revision: 3, status: 'hibernated' }));
  await publishAgent(db, publication('woken', { revision: 2 }));
  expect(await stops()).toEqual([[true, false]]);
  await publishAgent(db, publication('woken', { revision: 4 }));
  expect(await stops()).toEqual([[true, true]]);
});

it('shows nothing of the agent that a later revision has overtaken, but tells its events', async () => {
  const at = (historyLength: number) => ({ run: 1, historyLength, publishedBefore: 0 });
  const told = (message: string) => [
    { eventType: 'news', severity: 'info' as const, message, instanceId: null, details: {} },
  ];
  await publishAgent(
    db,
    publication('overtaken', { place: at(10), revision: 7, status: 'online', events: told('moved') }),
  );
  await publishAgent(
    db,
    publication('overtaken', {
      place: at(20),
      revision: 6,
      status: 'orphaned',
      overtaken: true,
      events: told('noticed'),
    }),
  );
  expect(await agentRow('overtaken')).toMatchObject({ status: 'online', revision: '7' });
  expect((await eventsOf('overtaken')).map(({ message }) => message)).toEqual(['moved', 'noticed']);
});

it('commits a cut-over once, makes the former primary a zombie, and says so again when asked again', async () => {
  await publishAgent(db, publication('moves'));
  expect(await commitCutOver(db, cutOver('moves', 'moves-2'))).toMatchObject({ committed: true });
  expect(await commitCutOver(db, cutOver('moves', 'moves-2'))).toMatchObject({ committed: true });
  expect(await agentRow('moves')).toMatchObject({ incarnation: 2, primary_instance_id: 'moves-2' });
  expect(await instanceRow('moves-1')).toMatchObject({
    instance_status: 'zombie',
    zombie_since: new Date('2026-03-01T12:05:00Z'),
  });
  expect((await eventsOf('moves')).filter((event) => event.event_type === 'cut_over')).toHaveLength(1);
  const standings = await db
    .selectFrom('instance_standing')
    .selectAll()
    .where('agent_id', '=', 'moves')
    .execute();
  expect(standings).toMatchObject([{ instance_id: 'moves-1', role: 'superseded', current_incarnation: 2 }]);
});

it('lets one of two cut-overs at the same moment win', async () => {
  await publishAgent(db, publication('raced'));
  const results = await Promise.all(
    ['raced-2', 'raced-3'].map((to) => commitCutOver(db, cutOver('raced', to))),
  );
  expect(results.filter((result) => result.committed)).toHaveLength(1);
  const winner = results[0]!.committed ? 'raced-2' : 'raced-3';
  expect(await agentRow('raced')).toMatchObject({ incarnation: 2, primary_instance_id: winner });
  expect(await agentOn(db, winner)).toBe('raced');
  expect(await agentOn(db, 'raced-1')).toBeNull();
});

it('never takes an instance back in its life', async () => {
  await publishAgent(db, publication('life'));
  await markTerminationAttempt(db, 'c1', 'life-1');
  await confirmTerminated(db, 'c1', 'life-1');
  const before = await instanceRow('life-1');
  await writeInstance(db, 'c1', 'life', publication('life').instances[0]!);
  await markTerminationAttempt(db, 'c1', 'life-1');
  await confirmTerminated(db, 'c1', 'life-1');
  expect(await instanceRow('life-1')).toMatchObject({
    instance_status: 'terminated',
    termination_confirmed: true,
    terminated_at: before.terminated_at,
  });
});

describe('the machine of a deleted agent', () => {
  const register = (agentId: string, over: Partial<AgentPublication> = {}) => {
    const instance = facts('shared-1');
    return publishAgent(
      db,
      publication(agentId, {
        primary: instance,
        standings: [{ instanceId: 'shared-1', role: 'primary', incarnation: 1 }],
        instances: [
          {
            facts: instance,
            status: 'primary',
            incarnation: 1,
            launchId: null,
            registeredAt: '2026-03-01T12:00:00Z',
            zombieSince: null,
          },
        ],
        ...over,
      }),
    );
  };
  const machine = () =>
    db.selectFrom('instances').selectAll().where('id', '=', 'shared-1').executeTakeFirstOrThrow();

  it('belongs to the agent that registers from it next, as its primary, and is not ended', async () => {
    await register('before');
    await register('before', {
      revision: 2,
      status: 'deleted',
      primary: null,
      instances: [],
      keptInstanceIds: ['shared-1'],
    });
    expect(await machine()).toMatchObject({ agent_id: 'before', kept: true });
    await markTerminationAttempt(db, 'c1', 'shared-1');
    await register('after');
    expect(await machine()).toMatchObject({
      agent_id: 'after',
      kept: false,
      instance_status: 'primary',
      termination_attempted_at: null,
    });
    expect(await agentOn(db, 'shared-1')).toBe('after');
  });

  it('stays with an agent that lives, whoever else registers from it', async () => {
    await register('third');
    expect(await machine()).toMatchObject({ agent_id: 'after' });
  });
});
