/** The status table: each of its cells by what really happens to an agent, and the drawing in the docs. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { AgentStatus } from '../../contracts/states';
import { drawStatuses, STATUS_TABLE, type StatusEvent } from '../../workflows/agent-status';
import { running, type Subject } from '../harness/agent-subject';
import { instanceFacts as facts } from '../harness/instance-facts';

const DAYS = 24 * 3600;
const silent = () => running().lose('running');
const orphaned = () => silent().after(300);
const offline = () => running().goodbye();
const stopped = (from: Subject) => from.hibernate().rested({ outcome: 'done', method: 'stop' });
const hibernated = () => stopped(running());
/** Hibernated for its silence, and forgotten since. */
const forgotten = () =>
  orphaned()
    .after(1_800)
    .rested({ outcome: 'done', method: 'stop' })
    .after(8 * DAYS);

const switched = (from: Subject) => {
  from.requestSwitch();
  return from.candidate('i-2').cutOver('i-2');
};
const otherMachine = (from: Subject) => {
  from.register(facts('i-2'));
  return from;
};
const beat = (from: Subject) => from.beat('i-1', 50);
const kept = (from: Subject) => from.on({ kind: 'keepAlive', minutes: 60 });
/** Up for long enough, and idle until it is being put to rest. */
const idleAtRest = () => {
  const subject = running().after(3_600);
  return subject.idleBeat(subject.nowMs - 180_000).after(120);
};
const failed = (from: Subject) => from.hibernate().rested({ outcome: 'failed' });

type Cell = [from: AgentStatus, event: StatusEvent, to: AgentStatus, subject: () => Subject];
const CELLS: Cell[] = [
  ['online', 'heard', 'online', () => beat(running())],
  ['online', 'leaseOver', 'silent', silent],
  ['online', 'goodbye', 'offline', offline],
  ['online', 'machineLost', 'silent', () => running().lose('gone')],
  ['online', 'newPrimary', 'online', () => switched(running())],
  ['online', 'restBegun', 'hibernating', () => running().hibernate()],
  ['online', 'deleted', 'deleted', () => running().delete()],
  ['silent', 'heard', 'online', () => beat(silent())],
  ['silent', 'silentTooLong', 'orphaned', orphaned],
  ['silent', 'goodbye', 'offline', () => silent().goodbye()],
  ['silent', 'machineLost', 'silent', () => silent().lose('gone')],
  ['silent', 'newPrimary', 'online', () => switched(silent())],
  ['silent', 'restBegun', 'hibernating', () => silent().hibernate()],
  ['silent', 'deleted', 'deleted', () => silent().delete()],
  ['orphaned', 'heard', 'online', () => beat(orphaned())],
  ['orphaned', 'keptAlive', 'silent', () => kept(orphaned())],
  ['orphaned', 'goodbye', 'offline', () => orphaned().goodbye()],
  ['orphaned', 'machineLost', 'silent', () => orphaned().lose('gone')],
  ['orphaned', 'newPrimary', 'online', () => switched(orphaned())],
  ['orphaned', 'restBegun', 'hibernating', () => orphaned().after(1_800)],
  ['orphaned', 'deleted', 'deleted', () => orphaned().delete()],
  ['offline', 'heard', 'online', () => beat(offline())],
  ['offline', 'goodbye', 'offline', () => offline().goodbye()],
  ['offline', 'machineLost', 'silent', () => idleAtRest().goodbye().rested({ outcome: 'gone' })],
  ['offline', 'newPrimary', 'online', () => otherMachine(offline())],
  ['offline', 'restBegun', 'hibernating', () => offline().hibernate()],
  ['offline', 'deleted', 'deleted', () => offline().delete()],
  ['hibernating', 'restDone', 'hibernated', hibernated],
  ['hibernating', 'backToOnline', 'online', () => failed(running())],
  ['hibernating', 'backToSilent', 'silent', () => failed(silent())],
  ['hibernating', 'backToOrphaned', 'orphaned', () => failed(orphaned())],
  ['hibernating', 'backToOffline', 'offline', () => failed(offline())],
  ['hibernating', 'backToHibernated', 'hibernated', () => forgotten().rested({ outcome: 'failed' })],
  ['hibernating', 'deleted', 'deleted', () => running().hibernate().delete()],
  ['hibernated', 'heard', 'online', () => beat(hibernated())],
  ['hibernated', 'machineLost', 'silent', () => hibernated().resume().resumed('gone')],
  [
    'hibernated',
    'newPrimary',
    'online',
    () => otherMachine(running().hibernate().rested({ outcome: 'done', method: 'image', imageId: 'ami-9' })),
  ],
  ['hibernated', 'restBegun', 'hibernating', forgotten],
  ['hibernated', 'woken', 'silent', () => hibernated().resume().resumed('started')],
  ['hibernated', 'deleted', 'deleted', () => hibernated().delete()],
];

test.each(CELLS)('%s, %s: %s', (from, event, to, subject) => {
  expect(STATUS_TABLE[from][event]).toBe(to);
  expect(subject().state.status).toBe(to);
});

test('every cell of the table that leads anywhere is tested', () => {
  const cells = Object.entries(STATUS_TABLE).flatMap(([from, row]) =>
    Object.entries(row).flatMap(([event, to]) => (to === null ? [] : [`${from} ${event} ${to}`])),
  );
  expect(CELLS.map(([from, event, to]) => `${from} ${event} ${to}`).sort()).toEqual(cells.sort());
});

test.each(['heard', 'keepAlive', 'goodbye', 'silence'] as const)(
  'a deleted agent stays deleted: %s',
  (what) => {
    const subject = running().delete();
    const after = {
      heard: beat,
      keepAlive: kept,
      goodbye: (s: Subject) => s.goodbye(),
      silence: (s: Subject) => s.after(9 * DAYS),
    };
    expect(after[what](subject).state.status).toBe('deleted');
    expect(subject.effects).toEqual([]);
  },
);

/** With DRAW_STATUSES=1 the page is brought up to date instead. */
test('the architecture page shows the table as it is', () => {
  const page = path.join(__dirname, '../../docs/architecture.md');
  const text = readFileSync(page, 'utf8');
  const drawing = /(?<=```mermaid\n)stateDiagram-v2[^`]*(?=\n```)/;
  if (process.env['DRAW_STATUSES']) writeFileSync(page, text.replace(drawing, drawStatuses()));
  expect(drawing.exec(readFileSync(page, 'utf8'))?.[0]).toBe(drawStatuses());
});
