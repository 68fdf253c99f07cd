/** The folder of a cloud's state: one simulator at a time, and only what is ours is ever removed. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { AgentProcess } from './instances/agent-process';
import { isAlive, ownIdentity, readIdentity } from './instances/process-identity';

const LOCK = 'simulator.lock';
/** What instances' identity documents verify with. */
export const IDENTITY_CERTIFICATE = 'identity-certificate.pem';
const OURS = [
  'journal.jsonl',
  'journal.jsonl.new',
  IDENTITY_CERTIFICATE,
  'instances',
  'volumes',
  'snapshots',
];

/**
 * Makes the folder, and keeps other simulators out of it. Returns how to let them in again.
 * @throws Error, one sentence, when one is in it or the folder can't be used.
 */
export function occupy(folder: string): () => void {
  const lock = path.join(folder, LOCK);
  try {
    mkdirSync(folder, { recursive: true });
    const holder = readIdentity(lock);
    if (holder && isAlive(holder)) {
      throw new Error(
        `process ${holder.pid}, another simulated cloud, is using it; stop that one or name another folder`,
      );
    }
    rmSync(lock, { force: true });
    writeFileSync(lock, ownIdentity(), { flag: 'wx' });
  } catch (error) {
    throw new Error(`The state folder ${folder} can't be used: ${(error as Error).message}.`, {
      cause: error,
    });
  }
  return () => rmSync(lock, { force: true });
}

/** Ends the agents that an earlier cloud left here, and removes its books and files. */
export async function startOver(folder: string): Promise<void> {
  const instances = path.join(folder, 'instances');
  for (const name of list(instances)) await AgentProcess.adopt(path.join(instances, name))?.kill();
  for (const name of OURS) rmSync(path.join(folder, name), { recursive: true, force: true });
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
