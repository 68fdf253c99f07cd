/** What the agent remembers over its restarts, under the sources' field names; written whole or not at all. */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import path from 'node:path';
import type { Log } from './log';

export interface AgentMemory {
  version: 1;
  agent_id: string;
  logical_agent_id: string;
  instance_id: string;
  current_mode: 'spot' | 'ondemand';
  server_url: string;
  incarnation: number;
  agent_token: string;
  last_heartbeat: string | null;
  /** Set once the server said that another instance is the agent now. */
  stood_down_at: string | null;
}

export class StateFile {
  private readonly file: string;

  constructor(
    home: string,
    private readonly log: Log,
  ) {
    this.file = path.join(home, 'data', 'agent_state.json');
  }

  /** Null when there is none, or one that can't be used, which is set aside for people to look at. */
  read(): AgentMemory | null {
    let text: string;
    try {
      text = readFileSync(this.file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
    const memory = parse(text);
    if (memory) return memory;
    const aside = `${this.file}.corrupt-${Date.now()}`;
    renameSync(this.file, aside);
    this.log('warn', 'The state file could not be used and was set aside; the agent registers anew.', {
      file: aside,
    });
    return null;
  }

  /** Durable when it returns: a new file takes the old one's place. Only its owner can read it. */
  write(memory: AgentMemory): void {
    mkdirSync(path.dirname(this.file), { recursive: true, mode: 0o700 });
    const draft = `${this.file}.${process.pid}.tmp`;
    const descriptor = openSync(draft, 'w', 0o600);
    try {
      writeSync(descriptor, `${JSON.stringify(memory, null, 2)}\n`);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(draft, this.file);
  }
}

function parse(text: string): AgentMemory | null {
  let value: Partial<AgentMemory> | null;
  try {
    value = JSON.parse(text) as Partial<AgentMemory> | null;
  } catch {
    return null; // Not JSON, so not ours: the caller sets it aside and says so.
  }
  const usable =
    value?.version === 1 &&
    [value.agent_id, value.logical_agent_id, value.instance_id, value.server_url, value.agent_token].every(
      (field) => typeof field === 'string' && field !== '',
    ) &&
    typeof value.incarnation === 'number';
  return usable ? (value as AgentMemory) : null;
}
