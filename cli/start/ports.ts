/** Which part listens where. A port once chosen is kept in `ports.json` and asked for again at the next start. */
import { randomInt } from 'node:crypto';
import { firstFreePort } from '../parts/free-port';
import type { StateFolder } from './state-folder';

const DEFAULTS = { api: 8400, temporal: 7233, temporalUi: 8233, database: 15432, cloud: 8480 };
const NAMES: Record<keyof typeof DEFAULTS, string> = {
  api: 'the API',
  temporal: 'the Temporal server',
  temporalUi: 'the Temporal Web UI',
  database: 'the database',
  cloud: 'the simulated cloud',
};

export type Ports = Record<keyof typeof DEFAULTS, number> & {
  /** Where instances reach the API. They are told it once, at their launch, so it never moves. */
  agents: number;
};

const FILE = 'ports.json';

/**
 * A port for every part that will listen (`wanted`), each the preferred one or the next free one, which is said.
 * @throws Error if the agents' port, which can't move while there are instances, is taken.
 */
export async function choosePorts(
  state: StateFolder,
  wanted: (keyof typeof DEFAULTS)[],
  hasInstances: boolean,
  say: (line: string) => void,
): Promise<Ports> {
  const kept = state.read<Partial<Ports>>(FILE) ?? {};
  const ports: Ports = { ...DEFAULTS, agents: 0, ...kept };
  // Agents are told a port outside the ranges of well-known services and of the system's own choosing.
  const agents = kept.agents ?? randomInt(20_000, 30_000);
  ports.agents = await firstFreePort(agents);
  if (hasInstances && ports.agents !== agents) {
    throw new Error(
      `Port ${agents} on 127.0.0.1 is taken by another program. The demo's instances were told at their launch to call the API ` +
        'there, so it cannot move. End the program that took it, or start over with --fresh.',
    );
  }
  const taken = new Set([ports.agents]);
  for (const part of wanted) {
    const preferred = kept[part] ?? DEFAULTS[part];
    ports[part] = await firstFreePort(preferred, taken);
    taken.add(ports[part]);
    if (ports[part] !== preferred)
      say(`Port ${preferred} is taken, so ${NAMES[part]} moves to ${ports[part]}.`);
  }
  state.write(FILE, ports);
  return ports;
}
