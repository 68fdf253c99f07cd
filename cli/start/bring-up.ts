/** Brings the parts up in the order in which they need each other. */
import { until } from '../parts/until';
import { AgentNames } from './agent-names';
import { AgentsDoor } from './agents-door';
import { checkDatabase, migrate, startEmbeddedDatabase, withoutPassword } from './database-part';
import { followEvents, HeldLines } from './event-feed';
import { ensureFleet, hasFleet } from './demo-fleet';
import {
  API_MEMORY_FLAGS,
  type CloudReady,
  commonEnvironment,
  leaseSweepMs,
  runCloud,
  runNodePart,
  simulatedAws,
} from './node-parts';
import { Ports } from './ports';
import { ensureSeed } from './seed';
import type { StartSettings, TemporalAccess } from './settings';
import type { StateFolder } from './state-folder';
import { installation, shellWord, summary } from './summary';
import type { Supervisor } from './supervisor';
import { agreeOnWorld, keepMarket, keepServers, type WorldSettings } from './world';
import { checkTemporal, startEmbeddedTemporal } from './temporal-part';

export interface Stack {
  door: AgentsDoor | null;
}

const READY_MS = 45_000;

export async function bringUp(
  state: StateFolder,
  supervisor: Supervisor,
  asked: StartSettings,
  say: (line: string) => void,
): Promise<Stack> {
  const began = Date.now();
  const settings: WorldSettings = { ...asked, ...agreeOnWorld(state, asked) };
  // What others run is looked at before anything of ours is started.
  await Promise.all([
    settings.databaseUrl && checkDatabase(settings.databaseUrl),
    settings.temporal && checkTemporal(settings.temporal),
  ]);
  const ports = new Ports(state, say);
  const [databaseUrl, temporal] = await Promise.all([
    database(state, supervisor, settings, ports, say),
    temporalServer(state, supervisor, settings, ports, say),
  ]);
  keepServers(state, settings);
  const seed = await ensureSeed(state, databaseUrl, settings.env, supervisor.signal);

  const common = commonEnvironment(settings, databaseUrl, temporal.access);
  const apiPort = await ports.take('api');
  const apiUrl = `http://127.0.0.1:${apiPort}`;
  const door = settings.aws
    ? null
    : await AgentsDoor.open(await ports.takeForAgents(hasFleet(state)), apiPort);
  try {
    const publicUrl = door?.url ?? settings.publicUrl ?? apiUrl;
    await runNodePart(state, supervisor, {
      name: 'the API',
      script: 'api/main.js',
      flags: API_MEMORY_FLAGS,
      log: 'api',
      rank: 2,
      env: {
        ...common,
        PORT: String(apiPort),
        HOST: settings.host,
        TEMPORAL_UI_URL: temporal.uiUrl ?? settings.env.TEMPORAL_UI_URL,
        // Whoever reaches this machine's own address may see the whole fleet of the demo.
        METRICS_ACCESS: settings.env.METRICS_ACCESS || (settings.host === '127.0.0.1' ? 'anyone' : 'admin'),
        HEARTBEAT_SIGNALS: settings.env.HEARTBEAT_SIGNALS || (settings.aws ? 'news' : 'every'),
      },
    });
    // The market's time passes from here on, and its instances' agents call: the API is there to hear them.
    const cloud = settings.aws
      ? null
      : await runCloud(state, supervisor, settings, await ports.take('cloud'));
    if (cloud) keepMarket(state, settings);
    await runNodePart(state, supervisor, {
      name: 'the worker',
      script: 'workers/main.js',
      log: 'worker',
      rank: 1,
      env: {
        ...common,
        ...awsEnvironment(settings, cloud),
        API_PUBLIC_URL: publicUrl,
        TEMPORAL_UI_URL: temporal.uiUrl ?? settings.env.TEMPORAL_UI_URL,
        LEASE_SWEEP_MS: settings.env.LEASE_SWEEP_MS || leaseSweepMs(settings.speed),
      },
    });
    await until(
      'the API says that it is ready',
      () => answersReady(apiUrl),
      READY_MS,
      100,
      supervisor.signal,
    );
    const feed = new HeldLines(say);
    const names = new AgentNames(apiUrl, seed.clientId, seed.tokens.admin);
    const nameOf = (agentId: string) => names.of(agentId, supervisor.signal);
    void followEvents(apiUrl, seed.tokens.admin, nameOf, feed.say, supervisor.signal);
    const agents = cloud
      ? await ensureFleet(state, {
          agents: settings.agents,
          cloud,
          serverUrl: publicUrl,
          clientToken: seed.tokens.client,
          say,
          signal: supervisor.signal,
        })
      : 0;
    state.write('run.json', {
      apiUrl,
      grpcAddress: null,
      temporalAddress: temporal.access.address,
      temporalUiUrl: temporal.uiUrl,
      databaseUrl,
      cloudUrl: cloud?.cloudUrl ?? null,
      clientId: seed.clientId,
      tokens: seed.tokens,
    });
    say(`\nReady in ${((Date.now() - began) / 1000).toFixed(1)} s.`);
    say(
      summary({
        apiUrl,
        temporalAddress: temporal.access.address,
        temporalNamespace: temporal.access.namespace,
        temporalUiUrl: temporal.uiUrl,
        temporalProgram: temporal.program,
        databaseUrl: withoutPassword(databaseUrl),
        cloudUrl: cloud?.cloudUrl ?? null,
        awsAccount: settings.aws?.accountId ?? null,
        clientId: seed.clientId,
        userToken: seed.tokens.user,
        stateFolder: state.path,
        agents,
        speed: settings.speed,
        traces: settings.traces,
      }),
    );
    if (!cloud) say(`\n${installation(publicUrl, seed.tokens.client)}`);
    say('\nCtrl-C stops everything. What happens from here on:');
    feed.release();
    return { door };
  } catch (error) {
    await door?.close();
    throw error;
  }
}

async function database(
  state: StateFolder,
  supervisor: Supervisor,
  settings: WorldSettings,
  ports: Ports,
  say: (line: string) => void,
): Promise<string> {
  const url = settings.databaseUrl ?? (await startEmbeddedDatabase(state, supervisor, ports, say));
  await migrate(url, settings.env, supervisor.signal);
  return url;
}

async function temporalServer(
  state: StateFolder,
  supervisor: Supervisor,
  settings: WorldSettings,
  ports: Ports,
  say: (line: string) => void,
): Promise<{ access: TemporalAccess; uiUrl: string | null; program: string | null }> {
  if (settings.temporal) return { access: settings.temporal, uiUrl: null, program: null };
  const own = await startEmbeddedTemporal(state, supervisor, ports, settings.env, say);
  return {
    access: { address: own.address, namespace: 'default' },
    uiUrl: own.uiUrl,
    program: own.onPath ? 'temporal' : shellWord(own.binary),
  };
}

function awsEnvironment(settings: WorldSettings, cloud: CloudReady | null): NodeJS.ProcessEnv {
  if (cloud) return simulatedAws(cloud);
  return { AWS_ACCOUNT_ID: settings.aws!.accountId, AWS_REGIONS: settings.aws!.regions };
}

async function answersReady(apiUrl: string): Promise<boolean> {
  const response = await fetch(`${apiUrl}/ready`, { signal: AbortSignal.timeout(5000) });
  if (response.ok) return true;
  throw new Error(`/ready answers ${response.status}: ${(await response.text()).slice(0, 500)}`);
}
