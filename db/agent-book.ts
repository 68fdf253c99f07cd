/** What agents' workflows make known, and the one conditional update that changes who is primary. */
import { sql } from 'kysely';
import type { AgentPublication, CutOver, CutOverResult } from '../contracts/activities';
import type { Db } from './connect';
import { noteStarted } from './instance-stops';
import { writeInstance } from './instances';
import { markPromoted, refusesPromotion, resetSync, writeReplica } from './replicas';
import { type KeyedEvent, writeEvents } from './system-events';

/** One transaction; a publication of an earlier place than what is stored changes the agent's row and standings no more. */
export async function publishAgent(db: Db, publication: AgentPublication): Promise<void> {
  const { clientId, agentId } = publication;
  await db.transaction().execute(async (transaction) => {
    if (!publication.overtaken && (await writeAgent(transaction, publication))) {
      await writeStandings(transaction, publication);
      const { primary, status } = publication;
      // Who is heard runs, also if a person started the machine by other means.
      if (status === 'online' && primary) await noteStarted(transaction, clientId, primary.instanceId);
    }
    for (const change of publication.instances) await writeInstance(transaction, clientId, agentId, change);
    for (const change of publication.replicas) await writeReplica(transaction, clientId, agentId, change);
    if (publication.keptInstanceIds.length > 0) {
      await transaction
        .updateTable('instances')
        .set({ kept: true, updated_at: sql`now()` })
        .where('client_id', '=', clientId)
        .where('id', 'in', publication.keptInstanceIds)
        .execute();
    }
    await writeEvents(transaction, clientId, agentId, await unsaid(transaction, publication));
  });
}

/** More events than a run's history can hold. */
const LONGEST_HISTORY = 1_000_000;
/** More than one workflow task tells. */
const LATEST = 30;

function positionOf({ place }: AgentPublication): number {
  return place ? place.run * LONGEST_HISTORY + place.historyLength : 0;
}

/**
 * The events with their keys, without those that an attempt at the same workflow task told before it was killed: what was
 * written at an earlier place, under a revision that no earlier place published, can be nothing else.
 */
async function unsaid(transaction: Db, publication: AgentPublication): Promise<KeyedEvent[]> {
  const { agentId, revision, events, place } = publication;
  const position = positionOf(publication);
  const keyed = events.map((event, index) => ({
    ...event,
    key: `${agentId}|${position}|${revision}|${index}`,
  }));
  if (events.length === 0 || !place) return keyed;
  const latest = await transaction
    .selectFrom('system_events')
    .select(['event_key', 'event_type', 'message'])
    .where('agent_id', '=', agentId)
    .orderBy('id', 'desc')
    .limit(LATEST)
    .execute();
  const undone = latest.filter(({ event_key }) => {
    const [ofAgent, at, of] = event_key.split('|');
    return ofAgent === agentId && Number(at) < position && Number(of) > place.publishedBefore;
  });
  return keyed.filter(({ eventType, message }) => {
    const told = undone.findIndex((one) => one.event_type === eventType && one.message === message);
    if (told >= 0) undone.splice(told, 1);
    return told < 0;
  });
}

async function writeAgent(db: Db, publication: AgentPublication): Promise<boolean> {
  const { primary } = publication;
  const row = {
    status: publication.status,
    health: publication.health,
    incarnation: publication.incarnation,
    primary_instance_id: primary?.instanceId ?? null,
    no_primary_reason: publication.noPrimaryReason,
    instance_type: primary?.instanceType ?? null,
    mode: primary?.mode ?? null,
    az: primary?.zone ?? null,
    region: primary?.region ?? null,
    account_id: primary?.accountId ?? null,
    terminate_wait_seconds: Math.ceil(publication.policy.terminateWaitSeconds),
    keep_alive_until: publication.keepAliveUntil,
    protected: publication.protected,
    hibernation: publication.hibernation && JSON.stringify(publication.hibernation),
    deleted_at: publication.status === 'deleted' ? sql<Date>`now()` : null,
    active_switch: publication.activeSwitch,
    replica_mode: publication.replicaMode,
    revision: publication.revision,
    history_position: positionOf(publication),
  };
  const written = await db
    .insertInto('agents')
    .values({
      id: publication.agentId,
      client_id: publication.clientId,
      logical_agent_id: publication.logicalAgentId,
      ...row,
    })
    .onConflict((conflict) =>
      conflict
        .column('id')
        .doUpdateSet({
          ...row,
          deleted_at: sql`coalesce(agents.deleted_at, excluded.deleted_at)`,
          updated_at: sql`now()`,
        })
        .where(
          sql<boolean>`(agents.history_position, agents.revision) < (excluded.history_position, excluded.revision)`,
        ),
    )
    .returning('id')
    .executeTakeFirst();
  return written !== undefined;
}

async function writeStandings(db: Db, publication: AgentPublication): Promise<void> {
  const { clientId, agentId, incarnation, policy, revision, idleWarning } = publication;
  const watchesIdleness = policy.idlePolicy !== 'off' && !publication.protected;
  if (publication.standings.length === 0) return;
  await db
    .insertInto('instance_standing')
    .values(
      publication.standings.map((standing) => ({
        agent_id: agentId,
        instance_id: standing.instanceId,
        client_id: clientId,
        role: standing.role,
        incarnation: standing.incarnation,
        current_incarnation: incarnation,
        heartbeat_interval_seconds: policy.heartbeatIntervalSeconds,
        config_revision: publication.configRevision,
        idle_threshold_percent: watchesIdleness ? policy.idleGpuThresholdPercent : null,
        idle_warning_seconds: watchesIdleness ? policy.idleWarningSeconds : null,
        hibernation_due_at: standing.role === 'primary' ? (idleWarning?.dueAt ?? null) : null,
        hibernation_reason: standing.role === 'primary' ? (idleWarning?.reason ?? null) : null,
        revision,
      })),
    )
    .onConflict((conflict) =>
      conflict.columns(['agent_id', 'instance_id']).doUpdateSet((eb) => ({
        role: eb.ref('excluded.role'),
        incarnation: eb.ref('excluded.incarnation'),
        current_incarnation: eb.ref('excluded.current_incarnation'),
        heartbeat_interval_seconds: eb.ref('excluded.heartbeat_interval_seconds'),
        config_revision: eb.ref('excluded.config_revision'),
        idle_threshold_percent: eb.ref('excluded.idle_threshold_percent'),
        idle_warning_seconds: eb.ref('excluded.idle_warning_seconds'),
        hibernation_due_at: eb.ref('excluded.hibernation_due_at'),
        hibernation_reason: eb.ref('excluded.hibernation_reason'),
        revision: eb.ref('excluded.revision'),
      })),
    )
    .execute();
}

/**
 * Makes `to` the primary if the agent is still at `fromIncarnation`, and the former primary a zombie, in one
 * transaction. A repeat of a committed one says committed again.
 */
export async function commitCutOver(db: Db, cutOver: CutOver): Promise<CutOverResult> {
  const { clientId, agentId, toIncarnation, to } = cutOver;
  return db.transaction().execute(async (transaction) => {
    const before = cutOver.replicaId ? await promotionRefused(transaction, cutOver, cutOver.replicaId) : null;
    if (before) return before;
    const moved = await transaction
      .updateTable('agents')
      .set({
        incarnation: toIncarnation,
        primary_instance_id: to.instanceId,
        no_primary_reason: null,
        instance_type: to.instanceType,
        mode: to.mode,
        az: to.zone,
        region: to.region,
        account_id: to.accountId,
        updated_at: sql`now()`,
      })
      .where('id', '=', agentId)
      .where('incarnation', '=', cutOver.fromIncarnation)
      .returning('id')
      .executeTakeFirst();
    if (!moved) return afterTheFact(transaction, cutOver);
    await resetSync(transaction, agentId);
    if (cutOver.replicaId) await markPromoted(transaction, cutOver.replicaId);
    await transaction
      .updateTable('instance_standing')
      .set({
        role: sql`case when instance_id = ${to.instanceId} then 'primary'
          when role = 'primary' then 'superseded' else role end`,
        current_incarnation: toIncarnation,
      })
      .where('agent_id', '=', agentId)
      .execute();
    await writeInstance(transaction, clientId, agentId, {
      facts: to,
      status: 'primary',
      incarnation: toIncarnation,
      launchId: null,
      registeredAt: null,
      zombieSince: null,
    });
    if (cutOver.fromInstanceId)
      await markZombie(transaction, clientId, cutOver.fromInstanceId, cutOver.decidedAt);
    await writeEvents(transaction, clientId, agentId, [
      {
        key: `${agentId}:cut-over:${toIncarnation}`,
        eventType: 'cut_over',
        severity: 'info',
        instanceId: to.instanceId,
        message: `Incarnation ${toIncarnation} is ${to.instanceId} (${to.instanceType} ${to.mode} in ${to.zone})${cutOver.fromInstanceId ? `, in place of ${cutOver.fromInstanceId}` : ''}.`,
        details: {
          incarnation: toIncarnation,
          from_instance_id: cutOver.fromInstanceId,
          to_instance_id: to.instanceId,
        },
      },
    ]);
    return { committed: true, reason: 'committed' };
  });
}

/** Null when the replica may take over, as far as its sync goes. A repeat after the commit is no refusal. */
async function promotionRefused(db: Db, cutOver: CutOver, replicaId: string): Promise<CutOverResult | null> {
  const refusal = await refusesPromotion(db, replicaId);
  if (refusal === null) return null;
  const done = await afterTheFact(db, cutOver);
  return done.committed ? done : { committed: false, reason: refusal };
}

async function afterTheFact(db: Db, cutOver: CutOver): Promise<CutOverResult> {
  const now = await db
    .selectFrom('agents')
    .select(['incarnation', 'primary_instance_id'])
    .where('id', '=', cutOver.agentId)
    .executeTakeFirst();
  if (now?.incarnation === cutOver.toIncarnation && now.primary_instance_id === cutOver.to.instanceId) {
    return { committed: true, reason: 'committed before' };
  }
  const reason = now
    ? `the agent is at incarnation ${now.incarnation} on ${now.primary_instance_id}, not ${cutOver.fromIncarnation}`
    : `agent ${cutOver.agentId} is not in the books`;
  return { committed: false, reason };
}

async function markZombie(db: Db, clientId: string, instanceId: string, since: string): Promise<void> {
  await db
    .updateTable('instances')
    .set({ instance_status: 'zombie', zombie_since: since, updated_at: sql`now()` })
    .where('client_id', '=', clientId)
    .where('id', '=', instanceId)
    .where('instance_status', 'in', ['launching', 'running', 'primary'])
    .execute();
}

/** Whether machines of the agent may be ended at all. */
export async function autoTerminateOf(db: Db, clientId: string, agentId: string): Promise<boolean> {
  const row = await db
    .selectFrom('agents')
    .select('auto_terminate_enabled')
    .where('id', '=', agentId)
    .where('client_id', '=', clientId)
    .executeTakeFirst();
  return row?.auto_terminate_enabled ?? true;
}
