/**
 * The heartbeat intake's tables, under the role spotkeeper_ingest: which instance counts, its lease, and the samples.
 * All times are the database's own.
 */
import { sql } from 'kysely';
import { agentWorkflowId } from '../contracts/ids';
import { signalNames } from '../contracts/messages';
import type { GoneOffline, HeartbeatNews } from '../contracts/messages';
import { LEASE_INTERVALS } from '../contracts/policy-defaults';
import type { InstanceRole } from '../contracts/states';
import type { Db } from './connect';
import { type Beat, effectOfBeat, type LeaseBefore } from './heartbeat-news';
import { addToOutbox } from './outbox';
import { addSamples, type Sample, UNKNOWN_SAMPLE } from './samples';

/** What the sender of a stored beat is told. */
export interface Standing {
  role: InstanceRole;
  /** The instance's own; for a candidate the one reserved for it. */
  incarnation: number;
  /** The agent's newest committed one. */
  currentIncarnation: number;
  intervalSeconds: number;
  configRevision: number;
}

export interface StoredBeats {
  /** In the order of the beats; null where the instance has no standing, so nothing was stored. */
  standings: (Standing | null)[];
  /** Workflows for which signals now wait in the outbox. */
  workflowIds: string[];
}

/**
 * Stores beats in one transaction: leases, samples, and the outbox's signals for those that are news.
 * @param beats at most one of each (agent, instance).
 */
export function storeBeats(db: Db, beats: readonly Beat[], everyBeat: boolean): Promise<StoredBeats> {
  return db.transaction().execute(async (transaction) => {
    const { standings, receivedAt } = await findStandings(transaction, beats);
    const placed = beats.flatMap((beat, index) => {
      const standing = standings[index];
      return standing ? [{ beat, standing }] : [];
    });
    if (placed.length === 0) return { standings, workflowIds: [] };
    const leases = await lockLeases(transaction, beats);
    const decided = placed.map(({ beat, standing }) => {
      const before = leases.get(keyOf(beat)) ?? null;
      const { role, currentIncarnation } = standing;
      return { beat, standing, ...effectOfBeat(beat, before, role, currentIncarnation, everyBeat) };
    });
    const moved = await moveLeases(
      transaction,
      decided.filter((one) => one.movesLease),
    );
    await addSamples(
      transaction,
      decided.flatMap(({ beat }) => {
        const leaseId = moved.get(keyOf(beat))?.id ?? leases.get(keyOf(beat))?.id;
        return leaseId === undefined ? [] : [sampleOf(beat, leaseId)];
      }),
    );
    const signals = decided.flatMap(({ beat, signal }) => {
      if (signal === null) return [];
      const payload = payloadOf(beat, signal, moved.get(keyOf(beat))?.revision ?? '0', receivedAt);
      const workflowId = agentWorkflowId(beat.agentId);
      return [{ clientId: beat.clientId, workflowId, signal: signalNames[signal], payload }];
    });
    await addToOutbox(transaction, signals);
    return { standings, workflowIds: [...new Set(signals.map((one) => one.workflowId))] };
  });
}

/** The instance that counts as the agent's primary, for a beat that names none; null when there is none. */
export async function primaryInstance(db: Db, clientId: string, agentId: string): Promise<string | null> {
  const row = await db
    .selectFrom('instance_standing')
    .select('instance_id')
    .where('agent_id', '=', agentId)
    .where('client_id', '=', clientId)
    .where('role', '=', 'primary')
    .executeTakeFirst();
  return row?.instance_id ?? null;
}

/** Starts the lease of an instance that has registered, so that one which dies before its first beat is missed too. */
export async function openLease(
  db: Db,
  lease: { clientId: string; agentId: string; instanceId: string },
): Promise<void> {
  await sql`
    insert into leases (agent_id, instance_id, client_id, revision, state, health, heartbeats,
      first_heartbeat_at, last_heartbeat_at, lease_until)
    select agent_id, instance_id, client_id, 0, 'live', 'healthy', 0, now(), now(),
      now() + make_interval(secs => ${LEASE_INTERVALS} * heartbeat_interval_seconds)
    from instance_standing
    where agent_id = ${lease.agentId} and instance_id = ${lease.instanceId} and client_id = ${lease.clientId}
    on conflict (agent_id, instance_id) do nothing`.execute(db);
}

async function findStandings(
  transaction: Db,
  beats: readonly Beat[],
): Promise<{ standings: (Standing | null)[]; receivedAt: Date }> {
  const found = await sql<{
    received_at: Date;
    role: InstanceRole | null;
    incarnation: number;
    current_incarnation: number;
    heartbeat_interval_seconds: number;
    config_revision: number;
  }>`
    select now() as received_at, standing.role, standing.incarnation, standing.current_incarnation,
      standing.heartbeat_interval_seconds, standing.config_revision
    from unnest(${beats.map((beat) => beat.agentId)}::text[], ${beats.map((beat) => beat.instanceId)}::text[],
      ${beats.map((beat) => beat.clientId)}::text[]) with ordinality as beat (agent_id, instance_id, client_id, place)
    left join instance_standing standing using (agent_id, instance_id, client_id)
    order by place`.execute(transaction);
  return {
    receivedAt: found.rows[0]?.received_at ?? new Date(),
    standings: found.rows.map((row) =>
      row.role === null
        ? null
        : {
            role: row.role,
            incarnation: row.incarnation,
            currentIncarnation: row.current_incarnation,
            intervalSeconds: row.heartbeat_interval_seconds,
            configRevision: row.config_revision,
          },
    ),
  };
}

/** The leases as they are, locked in the order of their keys, so that two intakes never wait for each other. */
async function lockLeases(
  transaction: Db,
  beats: readonly Beat[],
): Promise<Map<string, LeaseBefore & { id: string }>> {
  const found = await sql<LeaseBefore & { id: string; agent_id: string; instance_id: string }>`
    select id, agent_id, instance_id, state, health, mode, az as zone, least(heartbeats, 1)::int as heartbeats
    from leases
    where (agent_id, instance_id) in (
      select * from unnest(${beats.map((beat) => beat.agentId)}::text[], ${beats.map((beat) => beat.instanceId)}::text[]))
    order by agent_id, instance_id
    for update`.execute(transaction);
  return new Map(
    found.rows.map((row) => [keyOf({ agentId: row.agent_id, instanceId: row.instance_id }), row]),
  );
}

/** @returns the id and new revision of each, by key. */
async function moveLeases(
  transaction: Db,
  stored: { beat: Beat; standing: Standing }[],
): Promise<Map<string, { id: string; revision: string }>> {
  if (stored.length === 0) return new Map();
  const beats = stored.map((one) => one.beat);
  const terms = stored.map(({ beat, standing }) =>
    beat.status === 'offline' ? 0 : LEASE_INTERVALS * standing.intervalSeconds,
  );
  const moved = await sql<{ agent_id: string; instance_id: string; id: string; revision: string }>`
    insert into leases (agent_id, instance_id, client_id, revision, state, health, mode, az, heartbeats,
      first_heartbeat_at, last_heartbeat_at, lease_until)
    select agent_id, instance_id, client_id, 1, state, health, mode, az, 1, now(), now(),
      now() + make_interval(secs => term)
    from unnest(${beats.map((beat) => beat.agentId)}::text[], ${beats.map((beat) => beat.instanceId)}::text[],
      ${beats.map((beat) => beat.clientId)}::text[],
      ${beats.map((beat) => (beat.status === 'offline' ? 'offline' : 'live'))}::text[],
      ${beats.map((beat) => beat.health)}::text[], ${beats.map((beat) => beat.mode)}::text[],
      ${beats.map((beat) => beat.zone)}::text[], ${terms}::float8[])
      as beat (agent_id, instance_id, client_id, state, health, mode, az, term)
    order by agent_id, instance_id
    on conflict (agent_id, instance_id) do update set
      revision = leases.revision + 1,
      state = excluded.state,
      health = excluded.health,
      mode = coalesce(excluded.mode, leases.mode),
      az = coalesce(excluded.az, leases.az),
      heartbeats = leases.heartbeats + 1,
      first_heartbeat_at = case when leases.heartbeats = 0 then excluded.first_heartbeat_at
        else leases.first_heartbeat_at end,
      last_heartbeat_at = greatest(leases.last_heartbeat_at, excluded.last_heartbeat_at),
      lease_until = excluded.lease_until
    returning agent_id, instance_id, id, revision`.execute(transaction);
  return new Map(
    moved.rows.map((row) => [keyOf({ agentId: row.agent_id, instanceId: row.instance_id }), row]),
  );
}

function sampleOf(beat: Beat, leaseId: string): Sample {
  const online = beat.status === 'online';
  return { ...UNKNOWN_SAMPLE, leaseId, online, healthy: beat.health === 'healthy' };
}

function payloadOf(
  beat: Beat,
  signal: 'heartbeat' | 'goneOffline',
  revision: string,
  receivedAt: Date,
): Record<string, unknown> {
  const common = { revision: Number(revision), receivedAt: receivedAt.toISOString() };
  if (signal === 'goneOffline') {
    const goodbye: GoneOffline = { instanceId: beat.named ? beat.instanceId : null, ...common };
    return { ...goodbye };
  }
  const { instanceId, health, mode, zone } = beat;
  const news: HeartbeatNews = { instanceId, health, mode, zone, ...common };
  return { ...news };
}

/** Neither part holds a space. */
export function keyOf({ agentId, instanceId }: Pick<Beat, 'agentId' | 'instanceId'>): string {
  return `${agentId} ${instanceId}`;
}
