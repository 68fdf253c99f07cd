/** PostgreSQL refuses to run as root; as root it runs as the system user `postgres`. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync } from 'node:fs';
import path from 'node:path';

export interface SystemUser {
  uid: number;
  gid: number;
}

const NAME = 'postgres';

/**
 * The user to run PostgreSQL as: null means as ourselves. Creates the user where it is missing.
 * @throws Error if it cannot be created.
 */
export function postgresUser(say: (line: string) => void): SystemUser | null {
  if (process.getuid?.() !== 0) return null;
  const existing = lookUp();
  if (existing) return existing;
  const made = spawnSync(
    'useradd',
    ['--system', '--user-group', '--no-create-home', '--shell', '/bin/false', NAME],
    { encoding: 'utf8' },
  );
  const user = lookUp();
  if (!user) {
    const reason = made.error?.message ?? made.stderr.trim();
    throw new Error(
      `PostgreSQL does not run as root, and the system user "${NAME}" to run it as could not be created (${reason}). ` +
        'Create that user, start as another user than root, or set DATABASE_URL to a database of your own.',
    );
  }
  say(`Created the system user "${NAME}", because PostgreSQL does not run as root.`);
  return user;
}

function lookUp(): SystemUser | null {
  try {
    const id = (flag: string) =>
      Number(execFileSync('id', [flag, NAME], { encoding: 'utf8', stdio: 'pipe' }));
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    return null; // `id` fails for a user that does not exist.
  }
}

/** Where root keeps what the user `postgres` must reach and can't below a private home. */
export const REACHABLE_FOLDER = '/var/lib/spotkeeper';

/** Makes a folder there that every user can enter, whatever the umask. */
export function makeReachable(...names: string[]): string {
  let folder = REACHABLE_FOLDER;
  for (const name of ['', ...names]) {
    folder = path.join(folder, name);
    mkdirSync(folder, { recursive: true });
    chmodSync(folder, 0o755);
  }
  return folder;
}

/** Whether this user can enter the folder, with all folders above it. */
export function canEnter(folder: string, user: SystemUser | null): boolean {
  if (!user) return true;
  return (
    spawnSync('/bin/sh', ['-c', 'cd "$1"', 'sh', folder], { ...user, cwd: '/', stdio: 'ignore' }).status === 0
  );
}
