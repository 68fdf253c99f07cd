/** Recorded workflow histories: replayed by test/replay, written anew by a run with RECORD_HISTORIES=1. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT, testServers } from './servers';

const FOLDER = path.join(ROOT, 'test', 'replay', 'histories');

/** Records the history of a workflow's latest run under `name`, when asked to; else does nothing. */
export function recordHistory(workflowId: string, name: string): void {
  if (!process.env['RECORD_HISTORIES']) return;
  mkdirSync(FOLDER, { recursive: true });
  const { temporalBinary, temporalAddress } = testServers();
  const args = [
    'workflow',
    'show',
    '--workflow-id',
    workflowId,
    '--output',
    'json',
    '--address',
    temporalAddress,
  ];
  const json = execFileSync(temporalBinary, args, { encoding: 'utf8', maxBuffer: 64e6 });
  writeFileSync(path.join(FOLDER, `${name}.json`), `${JSON.stringify(JSON.parse(json))}\n`);
}

export function recordedHistories(): { workflowId: string; history: unknown }[] {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith('.json'))
    .map((name) => ({
      workflowId: name.replace(/\.json$/, ''),
      history: JSON.parse(readFileSync(path.join(FOLDER, name), 'utf8')) as unknown,
    }));
}
