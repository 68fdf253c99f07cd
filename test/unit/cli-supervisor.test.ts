/** Parts that die are started again; one that won't stay up is given up; a stop ends all in order. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Part, PartError } from '../../cli/parts/part';
import { processStart, signalProcess } from '../../cli/parts/process-identity';
import { ProcessBook } from '../../cli/start/process-book';
import { StateFolder } from '../../cli/start/state-folder';
import { type PartPlan, Supervisor } from '../../cli/start/supervisor';
import { until } from '../harness/until';

let folder: string;
let state: StateFolder;
let book: ProcessBook;
let supervisor: Supervisor;
let said: string[];
let started: Part[];
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'spotkeeper-supervisor-'));
  state = new StateFolder(folder);
  book = new ProcessBook(state);
  said = [];
  started = [];
  supervisor = new Supervisor(book, (line) => said.push(line));
});
afterEach(async () => {
  await supervisor.stopAll();
  rmSync(folder, { recursive: true });
});

function plan(name: string, script: string, rank = 0): PartPlan {
  return {
    name,
    rank,
    stopSignal: 'SIGTERM',
    graceMs: 5000,
    start: async (onSpawn) => {
      const part = await Part.start({
        name,
        command: '/bin/sh',
        args: ['-c', script],
        logFile: state.log(name),
        onSpawn,
      });
      started.push(part);
      return part;
    },
  };
}

const booked = () => JSON.parse(readFileSync(state.file('processes.json'), 'utf8')) as { pid: number }[];

test('a part that is killed is started again, and the book follows', async () => {
  await supervisor.run(plan('the part', 'exec sleep 60'));
  signalProcess(started[0]!.pid, 'SIGKILL');
  await until('it is started again', () => started.length === 2, 5000);
  expect(said).toEqual(['The part ended by SIGKILL; it is started again.']);
  expect(booked().map(({ pid }) => pid)).toEqual([started[1]!.pid]);
});

test('a part that keeps dying is given up with the end of its log', async () => {
  await supervisor.run(plan('the part', 'echo out of luck; exit 3'));
  const failure = await supervisor.failure;
  expect(failure).toBeInstanceOf(PartError);
  expect(failure.message).toMatch(
    /The part ended 5 times within a minute[\s\S]*exit code 3[\s\S]*out of luck/,
  );
});

test('a stop ends the lower ranks first', async () => {
  const trap = (name: string) =>
    `trap 'echo ${name} >> ${folder}/order; exit 0' TERM; echo > ${folder}/${name}; while :; do sleep 0.05; done`;
  await supervisor.run(plan('last', trap('last'), 2));
  await supervisor.run(plan('first', trap('first'), 0));
  await supervisor.run(plan('second', trap('second'), 1));
  const names = ['first', 'second', 'last'];
  await until('the traps are set', () => names.every((name) => existsSync(path.join(folder, name))), 5000);
  await supervisor.stopAll();
  expect(readFileSync(path.join(folder, 'order'), 'utf8')).toBe('first\nsecond\nlast\n');
  expect(booked()).toEqual([]);
});

test('nothing is started after a stop', async () => {
  await supervisor.stopAll();
  await expect(supervisor.run(plan('late', 'sleep 60'))).rejects.toThrow();
  expect(started).toEqual([]);
});

test('what a killed start left is ended by the next, and a stranger with its pid is not', async () => {
  await supervisor.run(plan('the leftover', 'exec sleep 60'));
  const leftover = started[0]!;
  const stranger = await Part.start({
    name: 'a stranger',
    command: 'sleep',
    args: ['60'],
    logFile: state.log('stranger'),
  });
  try {
    state.write('processes.json', [
      { name: 'the leftover', pid: leftover.pid, startedAt: leftover.startedAt, stopSignal: 'SIGTERM' },
      { name: 'the worker', pid: stranger.pid, startedAt: 'another time', stopSignal: 'SIGTERM' },
    ]);
    const lines: string[] = [];
    await new ProcessBook(state).endLeftovers((line) => lines.push(line));
    expect(lines).toEqual([expect.stringContaining(`left the leftover running (process ${leftover.pid})`)]);
    expect(processStart(leftover.pid)).toBeNull();
    expect(processStart(stranger.pid)).toBe(stranger.startedAt);
  } finally {
    await stranger.stop();
  }
});
