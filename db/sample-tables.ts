/** The tables of samples as Kysely sees them. The intake adds to the first; the workers' roll-up writes the others. */
import type { ColumnType, Generated } from 'kysely';

type Timestamp = ColumnType<Date, Date | string, Date | string>;

export interface HeartbeatSamplesTable {
  received_at: Generated<Date>;
  lease_id: string;
  gpu_utilization_percent: number | null;
  vram_used_gb: number | null;
  cpu_utilization_percent: number | null;
  ram_used_gb: number | null;
  disk_used_gb: number | null;
  uptime_seconds: number | null;
  missed: Generated<number>;
  online: boolean;
  healthy: boolean;
  idle: boolean | null;
  cost_accumulated: string | null;
}

export interface SampleStepsTable {
  starts_at: Timestamp;
  lease_id: string;
  samples: number;
  missed: number;
  unhealthy_samples: number;
  idle_samples: number;
  gpu_samples: number;
  gpu_utilization_avg: number | null;
  gpu_utilization_max: number | null;
  vram_used_gb_avg: number | null;
  cpu_utilization_avg: number | null;
  ram_used_gb_avg: number | null;
  disk_used_gb_max: number | null;
  cost_accumulated: string | null;
}

export interface SampleRollupsTable {
  name: string;
  done_until: Timestamp;
}

/** A view of the partitions there are. */
export interface SamplePartsView {
  parent: string;
  part: string;
  starts_at: Date;
  ends_at: Date;
  bytes: string;
}

export interface SampleTables {
  heartbeat_samples: HeartbeatSamplesTable;
  heartbeat_samples_5m: SampleStepsTable;
  heartbeat_samples_1h: SampleStepsTable;
  sample_rollups: SampleRollupsTable;
  sample_parts: SamplePartsView;
}
