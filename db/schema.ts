/**
 * The tables as Kysely sees them, and who writes each (the migrations' grants hold them to it):
 *
 * - the API:                 clients, tokens, agent_identities, stop_switches
 * - the heartbeat intake:    leases (all but `state = 'silent'`), heartbeat_samples, outbox, sweep_runs (`intake`)
 * - the workflows' activities: agents, instances, replica_instances, launch_intents, instance_standing
 * - whoever makes it happen:  system_events (the activities, the lease sweep, and the API for what people switch)
 * - the lease sweep:         leases (`state = 'silent'`, and `lease_until` after a gap of its own), sweep_runs
 * - the lease sweep:         mass_silences, which the API closes when a person has looked into one
 * - the price watch:       price_book; instance_stops by whoever stops or starts a machine
 * - the workers' roll-up:    heartbeat_samples_5m, heartbeat_samples_1h, sample_rollups (and parts of all samples)
 * - the API:                 notification_channels
 * - notification activities: notifications, notification_events, notification_deliveries, notification_tellings
 * - the notification relay:  notification_audiences; events get into notification_queue by a trigger on system_events
 *
 * The outbox is a queue: whoever has news adds a row in the transaction that makes it true, and whoever is alive
 * delivers it.
 */
import type { ColumnType, Generated, GeneratedAlways, JSONColumnType } from 'kysely';
import type {
  AgentStatus,
  Health,
  InstanceRole,
  InstanceStatus,
  PurchaseOption,
  ReplicaStatus,
} from '../contracts/states';
import type { ReplicaMode, ReplicaType } from '../contracts/replicas';
import type { NotificationTables } from './notification-tables';
import type { PriceTables } from './price-tables';
import type { SampleTables } from './sample-tables';

type Timestamp = ColumnType<Date, Date | string, Date | string>;
type BigInteger = ColumnType<string, string | number | bigint, string | number | bigint>;
type Json = JSONColumnType<Record<string, unknown>, string, string>;
type WithDefault<T> =
  T extends ColumnType<infer S, infer I, infer U> ? ColumnType<S, I | undefined, U> : Generated<T>;

export type TokenKind = 'admin' | 'client' | 'user' | 'agent';

export interface ClientsTable {
  id: string;
  name: string;
  policy: WithDefault<Json>;
  created_at: WithDefault<Timestamp>;
}

export interface TokensTable {
  id: Generated<string>;
  token_hash: Buffer;
  kind: TokenKind;
  client_id: string | null;
  can_act: Generated<boolean>;
  agent_id: string | null;
  instance_id: string | null;
  incarnation: number | null;
  label: string | null;
  created_at: WithDefault<Timestamp>;
  revoked_at: Timestamp | null;
}

export interface AgentIdentitiesTable {
  agent_id: string;
  client_id: string;
  logical_agent_id: string;
  generation: Generated<number>;
  created_at: WithDefault<Timestamp>;
}

export interface AgentsTable {
  id: string;
  client_id: string;
  logical_agent_id: string;
  status: AgentStatus;
  health: Health;
  incarnation: number;
  primary_instance_id: string | null;
  no_primary_reason: string | null;
  instance_type: string | null;
  mode: PurchaseOption | null;
  az: string | null;
  region: string | null;
  account_id: string | null;
  auto_terminate_enabled: Generated<boolean>;
  auto_switch_enabled: Generated<boolean>;
  replica_mode: Generated<ReplicaMode>;
  terminate_wait_seconds: number;
  keep_alive_until: Timestamp | null;
  protected: Generated<boolean>;
  /** A HibernationView, while the agent is, or is being, put to rest. */
  hibernation: JSONColumnType<Record<string, unknown>, string | null, string | null> | null;
  active_switch: string | null;
  /** The workflow's own count of its publications. */
  revision: BigInteger;
  /** Where in the workflow's story the row was published; a publication of an earlier place never overwrites it. */
  history_position: WithDefault<BigInteger>;
  created_at: WithDefault<Timestamp>;
  updated_at: WithDefault<Timestamp>;
  deleted_at: Timestamp | null;
  search_text: GeneratedAlways<string>;
}

export interface InstancesTable {
  client_id: string;
  id: string;
  /** The same as `id`, by the name that some of the sources' queries use. */
  instance_id: GeneratedAlways<string>;
  agent_id: string;
  instance_type: string;
  az: string;
  region: string;
  account_id: string;
  mode: PurchaseOption;
  ami_id: string | null;
  hostname: string | null;
  private_ip: string | null;
  public_ip: string | null;
  agent_version: string | null;
  instance_status: InstanceStatus;
  incarnation: number | null;
  launch_id: string | null;
  registered_at: Timestamp | null;
  zombie_since: Timestamp | null;
  /** When DescribeInstances showed the instance for the first time, so that it not knowing it later means gone. */
  seen_at: Timestamp | null;
  /** Released to its owner: nothing of ours ends it. */
  kept: Generated<boolean>;
  termination_attempted_at: Timestamp | null;
  /** When room for its end was taken under the cap on terminations. */
  end_reserved_at: Timestamp | null;
  /** True only on EC2's own word. */
  termination_confirmed: Generated<boolean>;
  terminated_at: Timestamp | null;
  created_at: WithDefault<Timestamp>;
  updated_at: WithDefault<Timestamp>;
}

export interface ReplicaInstancesTable {
  /** `<agent id>-r<n>` */
  id: string;
  client_id: string;
  agent_id: string;
  instance_id: string | null;
  replica_type: ReplicaType;
  instance_status: ReplicaStatus;
  sync_status: string | null;
  sync_latency_ms: number | null;
  state_transfer_progress: string | null;
  /** When its agent last reported its sync, and with which incarnation's state. */
  last_sync_at: Timestamp | null;
  synced_with: number | null;
  /** Whether the workflow was told that it could take over; and how often that has changed. */
  sync_ready: Generated<boolean>;
  sync_revision: WithDefault<BigInteger>;
  instance_type: string | null;
  az: string | null;
  mode: PurchaseOption | null;
  launch_id: string | null;
  message: string | null;
  created_at: WithDefault<Timestamp>;
  ready_at: Timestamp | null;
  promoted_at: Timestamp | null;
  termination_attempted_at: Timestamp | null;
  termination_confirmed: Generated<boolean>;
  terminated_at: Timestamp | null;
  updated_at: WithDefault<Timestamp>;
}

export interface LaunchIntentsTable {
  launch_id: string;
  client_id: string;
  agent_id: string;
  logical_agent_id: string;
  switch_number: number | null;
  replica_id: string | null;
  attempt: number;
  account_id: string;
  region: string;
  instance_type: string;
  az: string;
  mode: PurchaseOption;
  image_id: string;
  client_token: string;
  /** As sent, before base64. */
  user_data: string;
  outcome: Generated<'pending' | 'launched' | 'no_capacity' | 'failed'>;
  instance_id: string | null;
  error: string | null;
  created_at: WithDefault<Timestamp>;
  updated_at: WithDefault<Timestamp>;
}

export interface SystemEventsTable {
  id: ColumnType<string, never, never>;
  /** Deterministic, so that a repeated activity adds nothing. */
  event_key: string;
  client_id: string;
  agent_id: string | null;
  instance_id: string | null;
  event_type: string;
  severity: 'info' | 'warning' | 'critical';
  message: string;
  details: WithDefault<Json>;
  created_at: WithDefault<Timestamp>;
}

/** What the intake must know to answer a heartbeat. */
export interface InstanceStandingTable {
  agent_id: string;
  instance_id: string;
  client_id: string;
  role: InstanceRole;
  /** The instance's own incarnation; for a candidate the one reserved for it. */
  incarnation: number;
  /** The agent's newest committed incarnation. */
  current_incarnation: number;
  heartbeat_interval_seconds: number;
  config_revision: Generated<number>;
  /** Null while idleness isn't watched. */
  idle_threshold_percent: number | null;
  idle_warning_seconds: number | null;
  /** While a warning stands: when the machine is hibernated, and why. */
  hibernation_due_at: Timestamp | null;
  hibernation_reason: string | null;
  revision: BigInteger;
}

export interface LeasesTable {
  id: GeneratedAlways<string>;
  agent_id: string;
  instance_id: string;
  client_id: string;
  /** Rises with every change of the row, whoever makes it. */
  revision: BigInteger;
  state: 'live' | 'silent' | 'offline';
  health: Health;
  mode: PurchaseOption | null;
  az: string | null;
  /** Of the busiest GPU in the latest sample. */
  gpu_utilization_percent: number | null;
  /** Decimal dollars, as the agent itself reported it last. */
  cost_accumulated: WithDefault<ColumnType<string | null, string | null, string | null>>;
  /** Since when every sample was idle without a gap. */
  idle_since: Timestamp | null;
  /** Whether the workflow was told of this idleness. */
  idle_reported: Generated<boolean>;
  heartbeats: BigInteger;
  missed_heartbeats: WithDefault<BigInteger>;
  /** Those of them that were due right before the latest beat. */
  missed_before: Generated<number>;
  /** The revision of the latest beat that the workflow was told of. */
  told_revision: WithDefault<BigInteger>;
  first_heartbeat_at: Timestamp;
  last_heartbeat_at: Timestamp;
  lease_until: Timestamp;
}

export interface OutboxTable {
  id: ColumnType<string, never, never>;
  client_id: string;
  workflow_id: string;
  signal: string;
  payload: Json;
  created_at: WithDefault<Timestamp>;
  attempts: Generated<number>;
  /** After a failure of its own: not to be tried before. */
  retry_at: Timestamp | null;
  last_error: string | null;
  undeliverable: Generated<boolean>;
}

/** While a row is there, nothing of its scope is stopped or ended. */
export interface StopSwitchesTable {
  /** `system`, or `client:<id>`. */
  scope: string;
  client_id: string | null;
  reason: string;
  set_by: string;
  set_at: WithDefault<Timestamp>;
}

/** Open until `closed_at`; see mass-silences.ts. */
export interface MassSilencesTable {
  id: GeneratedAlways<string>;
  /** Null for one of the whole system. */
  client_id: string | null;
  began_at: WithDefault<Timestamp>;
  last_lost_at: WithDefault<Timestamp>;
  agents: number;
  silent_agents: number;
  closed_at: Timestamp | null;
  closed_by: string | null;
  note: string | null;
  told_at: Timestamp | null;
}

export interface SweepRunsTable {
  /**
   * `leases`, `intake` (one of them could store just now), `intake_away` and `intake_back` (intake-outages.ts), or when a mass silence was seen last: `mass_silence:<client>`,
   * and `mass_silence` of the whole system.
   */
  name: string;
  last_run_at: Timestamp;
  /** Of the intake: since when its signs have come without a gap. */
  unbroken_since: WithDefault<Timestamp>;
}

export interface Database extends NotificationTables, SampleTables, PriceTables {
  clients: ClientsTable;
  tokens: TokensTable;
  agent_identities: AgentIdentitiesTable;
  agents: AgentsTable;
  instances: InstancesTable;
  replica_instances: ReplicaInstancesTable;
  launch_intents: LaunchIntentsTable;
  system_events: SystemEventsTable;
  instance_standing: InstanceStandingTable;
  leases: LeasesTable;
  outbox: OutboxTable;
  stop_switches: StopSwitchesTable;
  mass_silences: MassSilencesTable;
  sweep_runs: SweepRunsTable;
}
