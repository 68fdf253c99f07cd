/** The demo's client and its tokens: made once for a state, then kept, since tokens are stored nowhere else. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { DIST } from '../checkout';
import type { StateFolder } from './state-folder';

const seedSchema = z.object({
  clientId: z.string().min(1),
  tokens: z.object({ admin: z.string().min(1), client: z.string().min(1), user: z.string().min(1) }),
});
export type Seed = z.infer<typeof seedSchema>;

const FILE = 'client.json';

export async function ensureSeed(
  state: StateFolder,
  databaseUrl: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<Seed> {
  const kept = state.read<Seed>(FILE);
  if (kept) return seedSchema.parse(kept);
  try {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [path.join(DIST, 'db', 'seed-main.js'), '--client', 'demo'],
      { env: { ...env, DATABASE_URL: databaseUrl }, signal },
    );
    const seed = seedSchema.parse(JSON.parse(stdout.trim().split('\n').at(-1)!));
    state.write(FILE, seed);
    return seed;
  } catch (error) {
    signal.throwIfAborted();
    const said = (error as { stderr?: string }).stderr?.trim() || (error as Error).message;
    throw new Error(`The client "demo" and its tokens could not be made: ${said}`);
  }
}
