/**
 * What is on the disks: a folder each, `<state>/volumes/<id>` and `<state>/snapshots/<id>`.
 *
 * D1 work on one disk is done in the order in which it was asked for; work on others goes on beside it, and none of it
 *    holds up who doesn't wait for it.
 * D2 a copy appears whole or not at all: it is made beside its place and renamed.
 * D3 a volume made of nothing has no folder before an instance boots with it. Any other volume and every snapshot of the
 *    books has one, or the work that makes it is under way; after a kill, `restore` does what was left undone.
 * D4 what the books don't have has no folder after the next start.
 */
import { constants } from 'node:fs';
import { cp, lstat, mkdir, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Snapshot, Volume } from '../books/entities';
import { exists } from './folders';

const COPY_ATTEMPTS = 5;

export class DiskFiles {
  /** By disk: resolves when all work that was asked for is done, or has failed. */
  readonly #last = new Map<string, Promise<void>>();

  constructor(private readonly stateFolder: string) {}

  volumeFolder(volumeId: string): string {
    return path.join(this.stateFolder, 'volumes', volumeId);
  }

  /** Resolves when no work on a volume is left. @throws Error when the volume should hold something and doesn't. */
  async volumeReady({ id, snapshotId }: Pick<Volume, 'id' | 'snapshotId'>): Promise<string> {
    await this.#last.get(id);
    const folder = this.volumeFolder(id);
    if (!(await exists(folder))) {
      if (snapshotId !== null) throw new Error(`The files of ${id} could not be copied from ${snapshotId}.`);
      await mkdir(folder, { recursive: true });
    }
    return folder;
  }

  /** What a snapshot holds becomes what a fresh volume holds. */
  fill(volumeId: string, snapshotId: string): Promise<void> {
    return this.#do([volumeId, snapshotId], () =>
      copyWhole(this.#snapshotFolder(snapshotId), this.volumeFolder(volumeId)),
    );
  }

  /** What a volume holds, `when` that has come, becomes what a fresh snapshot holds. */
  capture(snapshotId: string, volumeId: string, when: Promise<void> = Promise.resolve()): Promise<void> {
    return this.#do([volumeId, snapshotId], async () => {
      await when;
      const volume = this.volumeFolder(volumeId);
      const snapshot = this.#snapshotFolder(snapshotId);
      if (await exists(volume)) await copyWhole(volume, snapshot);
      else await mkdir(snapshot, { recursive: true });
    });
  }

  dropVolume(volumeId: string): Promise<void> {
    return this.#do([volumeId], () => rm(this.volumeFolder(volumeId), { recursive: true, force: true }));
  }

  dropSnapshot(snapshotId: string): Promise<void> {
    return this.#do([snapshotId], () =>
      rm(this.#snapshotFolder(snapshotId), { recursive: true, force: true }),
    );
  }

  /** Gives a volume's folder to whoever keeps it from here on; nothing when it has none. */
  moveVolume(volumeId: string, to: string): Promise<void> {
    return this.#do([volumeId], async () => {
      const folder = this.volumeFolder(volumeId);
      if (await exists(folder)) await rename(folder, to);
    });
  }

  /** Resolves when no work is left. */
  async idle(): Promise<void> {
    while (this.#last.size > 0) await Promise.all(this.#last.values());
  }

  /**
   * Makes the folders what the books say, after a kill in the middle of anything.
   * Returns the snapshots whose content is lost: their volume ended before it was copied.
   */
  async restore(volumes: readonly Volume[], snapshots: readonly Snapshot[]): Promise<string[]> {
    const volumeOf = new Map(volumes.map((volume) => [volume.id, volume]));
    const snapshotOf = new Map(snapshots.map((snapshot) => [snapshot.id, snapshot]));
    const lost: string[] = [];
    // A volume can be made of a snapshot of a volume, and so on: what is missing at the root is made first.
    const restoreSnapshot = async (snapshot: Snapshot): Promise<void> => {
      if (await exists(this.#snapshotFolder(snapshot.id))) return;
      const volume = volumeOf.get(snapshot.volumeId);
      if (volume) await restoreVolume(volume);
      else if (!(await exists(this.volumeFolder(snapshot.volumeId)))) lost.push(snapshot.id);
      await this.capture(snapshot.id, snapshot.volumeId);
    };
    const restoreVolume = async (volume: Volume): Promise<void> => {
      if (volume.snapshotId === null || (await exists(this.volumeFolder(volume.id)))) return;
      const snapshot = snapshotOf.get(volume.snapshotId);
      if (snapshot) await restoreSnapshot(snapshot);
      if (await exists(this.#snapshotFolder(volume.snapshotId)))
        await this.fill(volume.id, volume.snapshotId);
    };
    for (const snapshot of snapshots) await restoreSnapshot(snapshot);
    for (const volume of volumes) await restoreVolume(volume);
    await this.#sweep('volumes', volumeOf);
    await this.#sweep('snapshots', snapshotOf);
    return lost;
  }

  #snapshotFolder(snapshotId: string): string {
    return path.join(this.stateFolder, 'snapshots', snapshotId);
  }

  async #sweep(kind: 'volumes' | 'snapshots', known: ReadonlyMap<string, unknown>): Promise<void> {
    const folder = path.join(this.stateFolder, kind);
    await mkdir(folder, { recursive: true });
    for (const name of await readdir(folder)) {
      if (!known.has(name)) await rm(path.join(folder, name), { recursive: true, force: true });
    }
  }

  #do(disks: readonly string[], work: () => Promise<void>): Promise<void> {
    const before = disks.map((disk) => this.#last.get(disk));
    const done = Promise.all(before).then(work);
    const settled = done.catch(() => undefined); // Who asked for it hears of the failure; who comes after goes on.
    for (const disk of disks) this.#last.set(disk, settled);
    void settled.then(() => {
      for (const disk of disks) if (this.#last.get(disk) === settled) this.#last.delete(disk);
    });
    return done;
  }
}

/** A file that its living owner replaces meanwhile is copied anew. */
async function copyWhole(from: string, to: string): Promise<void> {
  const fresh = `${to}.new`;
  await mkdir(path.dirname(to), { recursive: true });
  for (let attempt = 1; ; attempt++) {
    await rm(fresh, { recursive: true, force: true });
    try {
      await cp(from, fresh, {
        recursive: true,
        verbatimSymlinks: true,
        mode: constants.COPYFILE_FICLONE,
        filter: isFileOrFolder,
      });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || attempt === COPY_ATTEMPTS) throw error;
    }
  }
  await rename(fresh, to);
}

/** Sockets and pipes aren't on a disk. */
async function isFileOrFolder(source: string): Promise<boolean> {
  const stat = await lstat(source);
  return stat.isFile() || stat.isDirectory() || stat.isSymbolicLink();
}
