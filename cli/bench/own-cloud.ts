/** A simulated cloud of a bench's own: a process without instance processes, its state on the checkout's disk. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { CHECKOUT, DIST } from '../checkout';
import { Part } from '../parts/part';

const READY_MS = 45_000;

export interface OwnCloud {
  cloudUrl: string;
  controlUrl: string;
  region: string;
  imageId: string;
  instanceTypes: string[];
  /** The process; its end during the bench is a failure. */
  part: Part;
  /** Ends it and removes its state. */
  stop(): Promise<void>;
}

/** @throws PartError if it doesn't start. */
export async function startOwnCloud(env: NodeJS.ProcessEnv, flags: string[]): Promise<OwnCloud> {
  const parent = env.SPOTKEEPER_STATE_DIR || path.join(CHECKOUT, '.spotkeeper');
  mkdirSync(parent, { recursive: true, mode: 0o711 });
  const folder = mkdtempSync(path.join(parent, 'bench-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  let part: Part | undefined;
  try {
    part = await Part.start({
      name: "the bench's simulated cloud",
      command: process.execPath,
      args: [
        path.join(DIST, 'simulator', 'main.js'),
        ...['--boot', 'none', '--state', path.join(folder, 'cloud'), ...flags],
      ],
      env,
      logFile: path.join(folder, 'cloud.log'),
      ipc: true,
    });
    const ready = await part.ready<{ type: 'ready' } & Omit<OwnCloud, 'part' | 'stop'>>(READY_MS);
    return {
      ...ready,
      part,
      stop: async () => {
        await part!.stop();
        remove();
      },
    };
  } catch (error) {
    await part?.stop();
    remove();
    throw error;
  }
}
