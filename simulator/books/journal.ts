/**
 * The file behind the books: one JSON line a transaction, appended and synced.
 *
 * J1 a transaction is one line: after a kill it is there whole or not at all. Only the last line can be torn, and a torn
 *    one was never answered for.
 * J2 `settled()` resolves when everything appended before it is on the disk.
 * J3 compaction writes the new file beside the old one and renames it, so a kill leaves one of them whole.
 * A write that fails leaves the memory ahead of the disk: the owner is told once, and must stop.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';

export type Put = readonly [shelf: string, id: string, value: unknown];
export interface Line {
  /** Cloud seconds. */
  readonly at: number;
  readonly puts?: readonly Put[];
}

const COMPACT_AFTER_BYTES = 16 * 1024 * 1024;

export class Journal {
  readonly #file: string;
  #handle: FileHandle;
  readonly #snapshot: () => Line;
  readonly #onFailure: (error: Error) => void;
  #unwritten: string[] = [];
  #mustSync = false;
  #writing: Promise<void> = Promise.resolve();
  #bytes = 0;

  private constructor(
    file: string,
    handle: FileHandle,
    snapshot: () => Line,
    onFailure: (error: Error) => void,
  ) {
    this.#file = file;
    this.#handle = handle;
    this.#snapshot = snapshot;
    this.#onFailure = onFailure;
  }

  /**
   * The lines that a folder holds; none when it is new.
   * @throws Error, one sentence, when a line other than the last can't be read.
   */
  static read(folder: string): Line[] {
    const file = path.join(folder, 'journal.jsonl');
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
    const lines = text.split('\n');
    lines.pop(); // Nothing, or the torn end of a line.
    return lines.map((line, index) => {
      try {
        return JSON.parse(line) as Line;
      } catch (error) {
        throw new Error(
          `The simulated cloud's state can't be read: line ${index + 1} of ${file} is damaged; --fresh starts over.`,
          { cause: error },
        );
      }
    });
  }

  /** Starts the file anew with what the books hold, and keeps it open for more. */
  static async start(
    folder: string,
    snapshot: () => Line,
    onFailure: (error: Error) => void,
  ): Promise<Journal> {
    const file = path.join(folder, 'journal.jsonl');
    writeWhole(file, snapshot());
    return new Journal(file, await open(file, 'a'), snapshot, onFailure);
  }

  /** @param durable whether `settled()` waits for it; the passing of time alone isn't worth a sync. */
  append(line: Line, durable: boolean): void {
    this.#unwritten.push(`${JSON.stringify(line)}\n`);
    this.#mustSync ||= durable;
    if (this.#unwritten.length === 1) {
      this.#writing = this.#writing.then(() => this.#write());
      this.#writing.catch((error: Error) => this.#onFailure(error));
    }
  }

  /** @throws what the disk said, when something could not be written. */
  settled(): Promise<void> {
    return this.#writing;
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#handle.close();
  }

  /** Writes all that waits; what is appended meanwhile shares the next write. */
  async #write(): Promise<void> {
    if (this.#bytes > COMPACT_AFTER_BYTES) return this.#compact();
    const text = this.#unwritten.join('');
    const sync = this.#mustSync;
    this.#unwritten = [];
    this.#mustSync = false;
    await this.#handle.appendFile(text);
    if (sync) await this.#handle.datasync();
    this.#bytes += text.length;
  }

  async #compact(): Promise<void> {
    this.#unwritten = [];
    this.#mustSync = false;
    writeWhole(this.#file, this.#snapshot());
    this.#bytes = 0;
    await this.#handle.close();
    this.#handle = await open(this.#file, 'a');
  }
}

function writeWhole(file: string, line: Line): void {
  const fresh = `${file}.new`;
  const descriptor = openSync(fresh, 'w', 0o600);
  writeFileSync(descriptor, `${JSON.stringify(line)}\n`);
  fsyncSync(descriptor);
  closeSync(descriptor);
  renameSync(fresh, file);
  const folder = openSync(path.dirname(file), 'r');
  fsyncSync(folder);
  closeSync(folder);
}
