/** Loads the Temporal CLI from where the Temporal SDKs load it (temporal.download), without waiting long for a dead network. */
import { execFile } from 'node:child_process';
import { createWriteStream, mkdirSync, mkdtempSync, renameSync, rmSync, chmodSync } from 'node:fs';
import path from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';

export interface AcquireOptions {
  env: NodeJS.ProcessEnv;
  version: string;
  /** The file to make; it appears whole or not at all. */
  destination: string;
  say: (line: string) => void;
  signal?: AbortSignal;
}

/** The network must answer within this. */
const ANSWER_MS = 8000;
/** A transfer that stands still for this long has failed. */
const STALL_MS = 20_000;

/** @throws Error with a clause that says what went wrong, fit for the middle of a sentence. */
export async function downloadTemporal(options: AcquireOptions): Promise<void> {
  const base = options.env.SPOTKEEPER_TEMPORAL_DOWNLOAD_URL || 'https://temporal.download';
  const platform = process.platform === 'darwin' ? 'darwin' : 'linux';
  const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';
  const question = new URL(`${base}/cli/v${options.version}`);
  question.search = new URLSearchParams({ platform, arch, format: 'tar.gz' }).toString();
  options.say(`Looking for the Temporal CLI ${options.version} on ${question.host} …`);
  mkdirSync(path.dirname(options.destination), { recursive: true });
  const unfinished = mkdtempSync(path.join(path.dirname(options.destination), 'download-'));
  try {
    const answer = (await (await request(question, options.signal)).json()) as {
      archiveUrl?: unknown;
      fileToExtract?: unknown;
    };
    if (typeof answer.archiveUrl !== 'string' || typeof answer.fileToExtract !== 'string')
      throw new Error('its answer names no archive');
    const archive = path.join(unfinished, 'temporal.tar.gz');
    await transfer(new URL(answer.archiveUrl), archive, options);
    await promisify(execFile)('tar', ['-xzf', archive, '-C', unfinished, answer.fileToExtract]);
    const program = path.join(unfinished, answer.fileToExtract);
    chmodSync(program, 0o755);
    renameSync(program, options.destination);
  } catch (error) {
    throw new Error(`the download from ${question.host} failed (${reason(error)})`);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

async function request(url: URL, signal?: AbortSignal): Promise<Response> {
  const answer = AbortSignal.timeout(ANSWER_MS);
  const response = await fetch(url, { signal: signal ? AbortSignal.any([signal, answer]) : answer });
  if (!response.ok) throw new Error(`HTTP status ${response.status}`);
  return response;
}

async function transfer(url: URL, file: string, options: AcquireOptions): Promise<void> {
  const stalled = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stalled.signal]) : stalled.signal;
  const stall = setTimeout(() => stalled.abort(new Error('the transfer stood still')), STALL_MS);
  try {
    const response = await fetch(url, { signal });
    if (!response.ok || !response.body) throw new Error(`HTTP status ${response.status}`);
    const total = Number(response.headers.get('content-length') ?? 0);
    let received = 0;
    let told = 0;
    const progress = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        stall.refresh();
        received += chunk.length;
        const step = total > 0 ? Math.floor((received / total) * 4) : 0;
        if (step > told) options.say(`  ${step * 25} % of ${Math.round(total / 1e6)} MB`);
        told = Math.max(told, step);
        done(null, chunk);
      },
    });
    await pipeline(
      Readable.fromWeb(response.body as import('stream/web').ReadableStream),
      progress,
      createWriteStream(file),
      { signal },
    );
  } finally {
    clearTimeout(stall);
  }
}

function reason(error: unknown): string {
  const { message, cause } = error as Error & { cause?: { code?: string; message?: string } };
  return cause?.code ?? cause?.message ?? message;
}
