/**
 * What a state was made with. Rows, workflows and instances refer to each other, and the simulated market has its own
 * time, so a state goes on only with the database, the Temporal server, the cloud, the market and the speed it has.
 *
 * Each is kept from the moment on from which something in the state depends on it: a start that failed before, on a
 * mistyped address for example, binds nobody.
 */
import { withoutPassword } from './database-part';
import type { StartSettings } from './settings';
import type { StateFolder } from './state-folder';

interface Servers {
  database: string;
  temporal: string;
  cloud: string;
}

interface Market {
  speed: number;
  /** Null is the synthetic market. */
  traces: string | null;
}

/** Settings with what the state decides filled in. */
export type WorldSettings = StartSettings & Market;

const FILE = 'world.json';

/**
 * The market and the speed of this start: those asked for, else those the state has, else the defaults.
 * @throws Error, a sentence, if what is asked for is not what the state has.
 */
export function agreeOnWorld(state: StateFolder, settings: StartSettings): Market {
  const kept = state.read<Partial<Servers & Market>>(FILE) ?? {};
  const market: Market = {
    speed: settings.speed ?? kept.speed ?? 1,
    traces: settings.traces ?? kept.traces ?? null,
  };
  const asked = { ...serversOf(settings), ...market };
  for (const part of ['database', 'temporal', 'cloud', 'traces', 'speed'] as const) {
    const had = kept[part];
    if (had === undefined || had === asked[part]) continue;
    throw new Error(
      `The state in ${state.path} was made with the ${part} "${had ?? 'synthetic'}", and this start asks for "${asked[part]}". ` +
        'Start with the same as then, over with --fresh, or with a state of its own in SPOTKEEPER_STATE_DIR.',
    );
  }
  return market;
}

/** To be called before anything is written that refers to these servers. */
export function keepServers(state: StateFolder, settings: StartSettings): void {
  state.write(FILE, { ...state.read<Partial<Market>>(FILE), ...serversOf(settings) });
}

/** To be called once the simulated cloud runs with this market. */
export function keepMarket(state: StateFolder, { speed, traces }: Market): void {
  state.write(FILE, { ...state.read<Servers>(FILE), speed, traces });
}

function serversOf(settings: StartSettings): Servers {
  const { databaseUrl, temporal, aws } = settings;
  return {
    database: databaseUrl ? withoutPassword(databaseUrl) : 'embedded',
    temporal: temporal ? `${temporal.address}/${temporal.namespace}` : 'embedded',
    cloud: aws ? `AWS account ${aws.accountId}` : 'simulated',
  };
}
