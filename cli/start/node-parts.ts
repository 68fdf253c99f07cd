/** Our own processes: the simulated cloud, the API, the worker. */
import path from 'node:path';
import { CHECKOUT, DIST } from '../checkout';
import { Part } from '../parts/part';
import type { TemporalAccess } from './settings';
import type { StateFolder } from './state-folder';
import type { Supervisor } from './supervisor';
import type { WorldSettings } from './world';

const READY_MS = 45_000;

export interface CloudReady {
  type: 'ready';
  cloudUrl: string;
  imdsUrl: string;
  controlUrl: string;
  region: string;
  imageId: string;
  accountId: string;
  /** Of all zones of its market. */
  regions: string[];
}

/**
 * For the API, which makes much garbage that lives for a few milliseconds: with room for it among the young, and none to
 * let the old pile up (measured with 10,000 connections: 230 MB instead of 340, and a tenth less time).
 */
export const API_MEMORY_FLAGS = ['--max-semi-space-size=32', '--max-old-space-size=512'];

interface NodePart {
  name: string;
  script: string;
  /** Of Node. */
  flags?: string[];
  log: string;
  /** See PartPlan. */
  rank: number;
  /** Asked for at every start of the process. */
  args?: () => string[];
  env: NodeJS.ProcessEnv;
  graceMs?: number;
}

/** Runs one and resolves with what it said when it was ready. */
export async function runNodePart<R extends { type: 'ready' }>(
  state: StateFolder,
  supervisor: Supervisor,
  part: NodePart,
): Promise<R> {
  let ready: R | undefined;
  await supervisor.run({
    name: part.name,
    rank: part.rank,
    stopSignal: 'SIGTERM',
    graceMs: part.graceMs ?? 10_000,
    start: async (onSpawn) => {
      const started = await Part.start({
        name: part.name,
        command: process.execPath,
        args: [...(part.flags ?? []), path.join(DIST, ...part.script.split('/')), ...(part.args?.() ?? [])],
        env: part.env,
        cwd: CHECKOUT,
        logFile: state.log(part.log),
        ipc: true,
        onSpawn,
      });
      try {
        ready = await started.ready<R>(READY_MS);
        return started;
      } catch (error) {
        await started.stop('SIGTERM', 2000);
        throw error;
      }
    },
  });
  return ready!;
}

export function runCloud(
  state: StateFolder,
  supervisor: Supervisor,
  settings: WorldSettings,
  port: number,
): Promise<CloudReady> {
  let fresh = settings.fresh;
  const pace = agentPace(settings.speed);
  return runNodePart<CloudReady>(state, supervisor, {
    name: 'the simulated cloud',
    script: 'simulator/main.js',
    log: 'cloud',
    rank: 0,
    args: () => {
      const args = [
        ...['--port', String(port), '--state', state.file('cloud'), '--speed', String(settings.speed)],
        ...(settings.traces === null ? [] : ['--traces', settings.traces]),
        ...(fresh ? ['--fresh'] : []),
        ...Object.keys(pace).flatMap((name) => ['--pass-environment', name]),
      ];
      fresh = false; // One that died and is started again goes on.
      return args;
    },
    env: { ...settings.env, ...pace },
  });
}

/** How often agents look for a notice: as often within its two minutes as on EC2, however short those are here. */
function agentPace(speed: number): Record<string, string> {
  const seconds = (standard: number) => String(Math.max(0.1, standard / speed));
  return { TERMINATION_CHECK_INTERVAL: seconds(5), REBALANCE_CHECK_INTERVAL: seconds(30) };
}

/** How often the worker looks for silent agents: the default at the speed of the real world, in milliseconds. */
export function leaseSweepMs(speed: number): string {
  return String(Math.max(250, Math.round(5000 / speed)));
}

/** What the API and the worker share. */
export function commonEnvironment(
  settings: WorldSettings,
  databaseUrl: string,
  temporal: TemporalAccess,
): NodeJS.ProcessEnv {
  return {
    ...settings.env,
    DATABASE_URL: databaseUrl,
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE: temporal.namespace,
    TEMPORAL_TLS_CERT_FILE: temporal.tlsCertFile ?? '',
    TEMPORAL_TLS_KEY_FILE: temporal.tlsKeyFile ?? '',
    TEMPORAL_TLS_CA_FILE: temporal.tlsCaFile ?? '',
    TEMPORAL_API_KEY: temporal.apiKey ?? '',
    SPOTKEEPER_SPEED: String(settings.speed),
  };
}

/** The AWS variables of whoever talks to the simulated cloud: nothing of the person's own may reach it, or it them. */
export function simulatedAws(cloud: CloudReady): NodeJS.ProcessEnv {
  return {
    AWS_ACCOUNT_ID: cloud.accountId,
    AWS_REGION: cloud.region,
    AWS_REGIONS: cloud.regions.join(','),
    AWS_ENDPOINT_URL: cloud.cloudUrl,
    AWS_ENDPOINT_URL_EC2: '',
    AWS_ENDPOINT_URL_STS: '',
    AWS_ENDPOINT_URL_PRICING: '',
    AWS_ACCESS_KEY_ID: 'simulated',
    AWS_SECRET_ACCESS_KEY: 'simulated',
    AWS_SESSION_TOKEN: '',
    AWS_PROFILE: '',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_EC2_METADATA_DISABLED: 'true',
  };
}
