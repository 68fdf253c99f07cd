/**
 * The fleet's figures as series of Prometheus.
 *
 * Bounds, whatever the fleet's size:
 *   M1  a series with an agent in it is there for at most so many orphaned and so many costly agents as were read;
 *   M2  clients, accounts and regions beyond a number are summed up as `others`;
 *   M3  sums stay true: what has no series of its own is in `others`, and `dumont_agents_gpu_utilization_percent` is
 *       one series with the mean as soon as not every agent has one, so that its average is the fleet's either way.
 */
import { Gauge, Registry } from 'prom-client';
import { AGENT_STATUSES } from '../../contracts/states';
import { type FleetFigures, GPU_BANDS } from '../../db/fleet-figures';
import type { AccountWorkers } from './account-workers';

const MOST_CLIENTS = 200;
const MOST_REGIONS = 50;
const OTHERS = 'others';

type Labels = Record<string, string>;
type Sample = [labels: Labels, value: number];

/** @param named whether clients, accounts, agents and instances are named; else only sums are shown. */
export function fleetText(
  figures: FleetFigures,
  workers: readonly AccountWorkers[],
  named: boolean,
): Promise<string> {
  const registry = new Registry();
  for (const [name, help, samples] of [
    ...sourceGauges(figures, named),
    ...agentGauges(figures, named),
    ...workGauges(figures, named),
    ...(named ? [accountWorkerGauge(workers)] : []),
  ]) {
    if (samples.length === 0) continue; // Nothing known is no series, rather than one that says 0.
    const labelNames = [...new Set(samples.flatMap(([labels]) => Object.keys(labels)))];
    const gauge = new Gauge({ name, help, labelNames, registers: [registry] });
    for (const [labels, value] of samples) gauge.set(labels, value);
  }
  return registry.metrics();
}

type Definition = [name: string, help: string, samples: Sample[]];

/** By the names of the source that describes instances and their heartbeats. */
function sourceGauges(figures: FleetFigures, named: boolean): Definition[] {
  const orphaned = named ? figures.orphaned : [];
  const costly = named ? figures.costly : [];
  const gpu = costly.flatMap((agent): Sample[] =>
    agent.gpuUtilizationPercent === null ? [] : [[labelsOf(agent), agent.gpuUtilizationPercent]],
  );
  const mean: Sample[] = figures.gpuMean === null ? [] : [[{}, figures.gpuMean]];
  const allOrphaned = agentsIn(figures, 'orphaned');
  return [
    ['dumont_agents_active', 'Agents whose heartbeats arrive.', [[{}, agentsIn(figures, 'online')]]],
    [
      'dumont_agents_orphaned',
      'Orphaned agents: 1 each, and the number of those without a series of their own as instance "others".',
      [
        ...orphaned.map((agent): Sample => [labelsOf(agent), 1]),
        [{ instance_id: OTHERS }, allOrphaned - orphaned.length],
      ],
    ],
    [
      'dumont_agents_gpu_utilization_percent',
      'Of the busiest GPU of each agent that is heard; one series with the mean where there are too many agents.',
      gpu.length < figures.gpuAgents ? mean : gpu,
    ],
    [
      'dumont_agents_gpu_utilization',
      'The same in percent, of the agents with a series of their own: idle ones first, the costliest first.',
      gpu,
    ],
    [
      'dumont_agents_cost_accumulated',
      'Dollars that the machines of these agents have cost, as reported or else estimated.',
      costly.flatMap((agent): Sample[] => (agent.cost === null ? [] : [[labelsOf(agent), agent.cost]])),
    ],
  ];
}

function agentGauges(figures: FleetFigures, named: boolean): Definition[] {
  const shown = named ? figures.costly.filter((one) => one.gpuUtilizationPercent !== null).length : 0;
  const bands = [...GPU_BANDS.map(String), 'unknown'];
  return [
    [
      'spotkeeper_agents',
      'Agents by status.',
      AGENT_STATUSES.filter((status) => status !== 'deleted').map((status) => [
        { status },
        agentsIn(figures, status),
      ]),
    ],
    ...(named
      ? [
          [
            'spotkeeper_client_agents',
            'Agents by client and status; the smallest of very many clients are one, "others".',
            byClient(figures),
          ] satisfies Definition,
        ]
      : []),
    [
      'spotkeeper_placed_agents',
      'Agents by purchase option and region.',
      bounded(
        figures.byPlacement.map(({ mode, region, agents }) => ({ key: region, rest: { mode }, agents })),
        'region',
        MOST_REGIONS,
      ),
    ],
    [
      'spotkeeper_gpu_agents',
      'Agents that are heard, by the utilization of their busiest GPU: up to so many percent, or unknown.',
      bands.map((band) => [{ up_to: band }, figures.byGpuBand.find((one) => one.band === band)?.agents ?? 0]),
    ],
    [
      'spotkeeper_gpu_utilization_percent',
      'Utilization of the busiest GPU over the agents that are heard, by percentile.',
      figures.gpuQuantiles.map(({ quantile, percent }) => [
        { percentile: `p${Math.round(quantile * 100)}` },
        percent,
      ]),
    ],
    [
      'spotkeeper_agents_without_series',
      'Agents with a known GPU reading that have no series of their own.',
      [[{}, figures.gpuAgents - shown]],
    ],
    ['spotkeeper_agents_idle', 'Agents whose GPU is idle.', [[{}, figures.idle]]],
    [
      'spotkeeper_idle_dollars_per_hour',
      'What the machines of idle agents cost by the prices in force.',
      [[{}, figures.idleDollarsPerHour]],
    ],
    [
      'spotkeeper_idle_agents_without_price',
      'Idle agents whose price is not known.',
      [[{}, figures.idleWithoutPrice]],
    ],
    ['spotkeeper_agents_protected', 'Agents that no policy stops or deletes.', [[{}, figures.protected]]],
    ['spotkeeper_agents_kept_alive', 'Agents that a person keeps alive.', [[{}, figures.keptAlive]]],
    [
      'spotkeeper_agents_hibernated',
      'Agents being, or put, to rest, by the way.',
      figures.byHibernation.map(({ method, agents }) => [{ method }, agents]),
    ],
  ];
}

function workGauges(figures: FleetFigures, named: boolean): Definition[] {
  return [
    ['spotkeeper_lease_sweep_age_seconds', 'Since the leases were swept last.', ageOf(figures, 'leases')],
    [
      'spotkeeper_intake_age_seconds',
      'Since an intake could store heartbeats last.',
      ageOf(figures, 'intake'),
    ],
    [
      'spotkeeper_mass_silence_age_seconds',
      'Since over half of a client’s agents fell silent at once, until a person has looked into it.',
      massSilence(figures, named),
    ],
    [
      'spotkeeper_stop_switches',
      'Stop switches that are set: while one is, nothing of its scope is stopped or terminated.',
      (['system', 'client'] as const).map((scope) => [
        { scope },
        figures.stopSwitches.filter((one) => scopeOf(one) === scope).length,
      ]),
    ],
    [
      'spotkeeper_stop_switch_age_seconds',
      'Since each of them was set.',
      figures.stopSwitches.flatMap((one, at): Sample[] => {
        if (one.clientId === null) return [[{ scope: 'system' }, one.ageSeconds]];
        const labels = { scope: 'client', client_id: one.clientId };
        return named && at < MOST_CLIENTS ? [[labels, one.ageSeconds]] : [];
      }),
    ],
    [
      'spotkeeper_notification_deliveries_last_hour',
      'Messages to channels of the last hour, by the kind of channel and what came of them.',
      figures.deliveriesLastHour.map(({ kind, status, deliveries }) => [{ kind, status }, deliveries]),
    ],
    [
      'spotkeeper_sample_bytes',
      'Room that the samples of heartbeats take.',
      figures.sampleBytes.map(({ table, bytes }) => [{ table }, bytes]),
    ],
  ];
}

function accountWorkerGauge(workers: readonly AccountWorkers[]): Definition {
  return [
    'spotkeeper_account_workers',
    'Workers that poll for the EC2 steps of an account and region that agents are in.',
    workers.map(({ accountId, region, pollers }) => [{ account_id: accountId, region }, pollers]),
  ];
}

function labelsOf(agent: FleetFigures['orphaned'][number]): Labels {
  const { clientId, agentId, instanceId, logicalAgentId } = agent;
  return { client_id: clientId, agent_id: agentId, instance_id: instanceId, name: logicalAgentId };
}

function agentsIn({ byStatus }: FleetFigures, status: string): number {
  return byStatus.find((one) => one.status === status)?.agents ?? 0;
}

function byClient({ byClient: rows }: FleetFigures): Sample[] {
  return bounded(
    rows.map(({ clientId, status, agents }) => ({ key: clientId, rest: { status }, agents })),
    'client_id',
    MOST_CLIENTS,
  );
}

/** The largest keys by themselves, the rest as one. */
function bounded(
  rows: { key: string; rest: Labels; agents: number }[],
  label: string,
  most: number,
): Sample[] {
  const sizes = new Map<string, number>();
  for (const { key, agents } of rows) sizes.set(key, (sizes.get(key) ?? 0) + agents);
  const largest = new Set(
    [...sizes]
      .sort(([, one], [, other]) => other - one)
      .slice(0, most)
      .map(([key]) => key),
  );
  const sums = new Map<string, Sample>();
  for (const { key, rest, agents } of rows) {
    const labels = { [label]: largest.has(key) ? key : OTHERS, ...rest };
    const id = JSON.stringify(labels);
    sums.set(id, [labels, (sums.get(id)?.[1] ?? 0) + agents]);
  }
  return [...sums.values()];
}

function ageOf({ runs }: FleetFigures, name: string): Sample[] {
  const run = runs.find((one) => one.name === name);
  return run ? [[{}, run.ageSeconds]] : [];
}

/** Nameless, the oldest alone stands for all; the whole system's goes by the name of `*`. */
function massSilence({ massSilences }: FleetFigures, named: boolean): Sample[] {
  return massSilences.slice(0, named ? MOST_CLIENTS : 1).map(({ clientId, ageSeconds }): Sample => {
    return [named ? { client_id: clientId ?? '*' } : ({} as Labels), ageSeconds];
  });
}

function scopeOf({ clientId }: { clientId: string | null }): 'system' | 'client' {
  return clientId === null ? 'system' : 'client';
}
