/**
 * What rises: missed heartbeats, and events by type. They are counted from the books at each reading, from zero in each
 * process, so that a row that leaves the books never makes a counter fall.
 */
import { Counter, Registry } from 'prom-client';
import type { Db } from '../../db/connect';
import { countEvents, type EventCount, newestEvent } from '../../db/event-counts';

/** Those that rules watch: an increase from nothing to one is none to Prometheus. */
const WATCHED_EVENTS = [
  'agent_silent',
  'agent_orphaned',
  'mass_silence',
  'instance_lost',
  'agent_hibernated',
  'hibernation_failed',
  'agent_deleted',
  'stop_held',
  'terminations_held',
  'needs_operator',
  'notification_failed',
];
const SEVERITIES = ['info', 'warning', 'critical'];

export class FleetCounters {
  readonly #registry = new Registry();
  readonly #missed = new Counter({
    name: 'dumont_agents_heartbeat_missed_total',
    help: 'Heartbeats that were due and did not come, since this process started.',
    registers: [this.#registry],
  });
  readonly #events = new Counter({
    name: 'spotkeeper_system_events_total',
    help: 'System events by type, since this process started.',
    labelNames: ['event_type'],
    registers: [this.#registry],
  });
  readonly #alerts = new Counter({
    name: 'spotkeeper_events_by_severity_total',
    help: 'System events by severity, since this process started; warning and critical ones are alerts.',
    labelNames: ['severity'],
    registers: [this.#registry],
  });
  readonly #hibernations = new Counter({
    name: 'spotkeeper_hibernations_total',
    help: 'Ends of putting an agent to rest, by the way, what it was for, and the outcome.',
    labelNames: ['method', 'cause', 'outcome'],
    registers: [this.#registry],
  });
  #missedBefore: number | null = null;
  #newestEvent: string | null = null;

  constructor() {
    for (const event_type of WATCHED_EVENTS) this.#events.inc({ event_type }, 0);
    for (const severity of SEVERITIES) this.#alerts.inc({ severity }, 0);
  }

  /** @param missedHeartbeats over the lives of all leases, as of now. */
  async count(db: Db, missedHeartbeats: number): Promise<void> {
    // A machine put to rest takes what it missed out of the sum.
    this.#missed.inc(Math.max(0, missedHeartbeats - (this.#missedBefore ?? missedHeartbeats)));
    this.#missedBefore = missedHeartbeats;
    this.#newestEvent ??= await newestEvent(db);
    const { counts, newest } = await countEvents(db, this.#newestEvent);
    this.#newestEvent = newest;
    for (const count of counts) this.#add(count);
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #add({ eventType, severity, method, cause, outcome, events }: EventCount): void {
    this.#events.inc({ event_type: eventType }, events);
    this.#alerts.inc({ severity }, events);
    const ended = eventType === 'agent_hibernated' ? 'done' : outcome;
    if (ended === null || cause === null) return;
    this.#hibernations.inc({ method: method ?? 'none', cause, outcome: ended }, events);
  }
}
