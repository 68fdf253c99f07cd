/**
 * What the agent remembers over restarts: `data/agent_state.json`, which only its owner can read, since it holds the
 * token. It is replaced whole, so a crash leaves the old one or the new one. An image made of this machine carries it to
 * another, which knows by the instance id that it is not its own.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import path from 'node:path';

export interface AgentStateFile {
  version: 1;
  agent_id: string;
  logical_agent_id: string;
  instance_id: string;
  current_mode: 'spot' | 'ondemand';
  server_url: string;
  last_heartbeat: string | null;
  last_pricing_report: string | null;
  replica_mode: 'none' | 'manual' | 'automatic';
  auto_switch_enabled: boolean;
  manual_replica_enabled: boolean;
  agent_token: string;
  incarnation: number;
  role: string;
  /** Of a replica: what it reports its sync under. */
  replica_id?: string | null;
  config_revision: number;
  /** Set once another instance is the agent: this one never acts for it again. */
  stood_down: { at: string; message: string } | null;
}

export type StateFileContent =
  | { found: 'state'; state: AgentStateFile }
  | { found: 'nothing' }
  /** It was set aside, under the name given. */
  | { found: 'corrupt'; setAside: string; reason: string };

export class StateFile {
  readonly #path: string;

  constructor(home: string) {
    this.#path = path.join(home, 'data', 'agent_state.json');
  }

  /** @throws Error when the file is there and can't be read or moved. */
  read(): StateFileContent {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { found: 'nothing' };
      throw error;
    }
    try {
      return { found: 'state', state: parseState(text) };
    } catch (error) {
      const setAside = `${this.#path}.corrupt-${new Date().toISOString().replaceAll(':', '-')}`;
      renameSync(this.#path, setAside);
      return { found: 'corrupt', setAside, reason: (error as Error).message };
    }
  }

  /** @throws Error when the disk doesn't take it; the old content then stays. */
  write(state: AgentStateFile): void {
    mkdirSync(path.dirname(this.#path), { recursive: true, mode: 0o700 });
    const fresh = `${this.#path}.new`;
    const file = openSync(fresh, 'w', 0o600);
    try {
      writeSync(file, `${JSON.stringify(state, null, 2)}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(fresh, this.#path);
  }
}

/** @throws Error that says what is wrong with the text. */
function parseState(text: string): AgentStateFile {
  const state = JSON.parse(text) as Partial<AgentStateFile> | null;
  if (typeof state !== 'object' || state === null) throw new Error('it holds no object');
  if (state.version !== 1) throw new Error(`its version is ${String(state.version)}, not 1`);
  for (const name of ['agent_id', 'logical_agent_id', 'instance_id', 'server_url', 'agent_token'] as const) {
    if (typeof state[name] !== 'string' || state[name] === '') throw new Error(`it holds no ${name}`);
  }
  if (typeof state.incarnation !== 'number') throw new Error('it holds no incarnation');
  return { ...(state as AgentStateFile), stood_down: state.stood_down ?? null };
}
