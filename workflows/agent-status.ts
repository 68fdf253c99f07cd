/**
 * The agent's status: every state, everything that can happen to it, and what it becomes. The drawing in
 * docs/architecture.md is made from this table (`DRAW_STATUSES=1 npx jest test/unit/agent-status`).
 *
 * Null: what happens says nothing of the agent in this state, or can't happen in it, and the state stays.
 */
import type { AgentStatus } from '../contracts/states';

export const STATUS_EVENTS = {
  heard: 'a heartbeat of the primary',
  leaseOver: 'its lease is over, and EC2 does not call its machine gone',
  silentTooLong: 'silent for the time of the policy',
  keptAlive: 'kept alive by a person',
  goodbye: 'its process was shut down cleanly',
  machineLost: 'EC2 calls its machine gone',
  newPrimary: 'another machine is the agent',
  restBegun: 'its machine is being put to rest',
  restDone: 'its machine is at rest',
  backToOnline: 'the rest came to nothing (it was online)',
  backToSilent: 'the rest came to nothing (it was silent)',
  backToOrphaned: 'the rest came to nothing (it was orphaned)',
  backToOffline: 'the rest came to nothing (it was offline)',
  backToHibernated: 'its deletion came to nothing (it was hibernated)',
  woken: 'its machine was started again',
  deleted: 'deleted',
} as const;
export type StatusEvent = keyof typeof STATUS_EVENTS;

type Row = { readonly [E in StatusEvent]: AgentStatus | null };

const NOTHING: Row = {
  heard: null,
  leaseOver: null,
  silentTooLong: null,
  keptAlive: null,
  goodbye: null,
  machineLost: null,
  newPrimary: null,
  restBegun: null,
  restDone: null,
  backToOnline: null,
  backToSilent: null,
  backToOrphaned: null,
  backToOffline: null,
  backToHibernated: null,
  woken: null,
  deleted: null,
};

export const STATUS_TABLE: { readonly [S in AgentStatus]: Row } = {
  online: {
    ...NOTHING,
    heard: 'online',
    leaseOver: 'silent',
    goodbye: 'offline',
    machineLost: 'silent',
    newPrimary: 'online',
    restBegun: 'hibernating',
    deleted: 'deleted',
  },
  silent: {
    ...NOTHING,
    heard: 'online',
    silentTooLong: 'orphaned',
    goodbye: 'offline',
    machineLost: 'silent',
    newPrimary: 'online',
    restBegun: 'hibernating',
    deleted: 'deleted',
  },
  orphaned: {
    ...NOTHING,
    heard: 'online',
    keptAlive: 'silent',
    goodbye: 'offline',
    machineLost: 'silent',
    newPrimary: 'online',
    restBegun: 'hibernating',
    deleted: 'deleted',
  },
  offline: {
    ...NOTHING,
    heard: 'online',
    goodbye: 'offline',
    machineLost: 'silent',
    newPrimary: 'online',
    restBegun: 'hibernating',
    deleted: 'deleted',
  },
  hibernating: {
    ...NOTHING,
    restDone: 'hibernated',
    backToOnline: 'online',
    backToSilent: 'silent',
    backToOrphaned: 'orphaned',
    backToOffline: 'offline',
    backToHibernated: 'hibernated',
    deleted: 'deleted',
  },
  hibernated: {
    ...NOTHING,
    heard: 'online',
    machineLost: 'silent',
    newPrimary: 'online',
    restBegun: 'hibernating',
    woken: 'silent',
    deleted: 'deleted',
  },
  deleted: NOTHING,
};

/** What a state becomes; itself when the event says nothing of it. */
export function nextStatus(status: AgentStatus, event: StatusEvent): AgentStatus {
  return STATUS_TABLE[status][event] ?? status;
}

/** How a machine that was not put to rest after all goes on. */
export const BACK_TO = {
  online: 'backToOnline',
  silent: 'backToSilent',
  orphaned: 'backToOrphaned',
  offline: 'backToOffline',
  hibernated: 'backToHibernated',
} as const satisfies Partial<Record<AgentStatus, StatusEvent>>;

/** A Mermaid state diagram of the table. */
export function drawStatuses(): string {
  const lines = Object.entries(STATUS_TABLE).flatMap(([from, row]) =>
    Object.entries(row)
      .filter(([, to]) => to !== null && to !== from)
      .map(([event, to]) => `    ${from} --> ${to}: ${STATUS_EVENTS[event as StatusEvent]}`),
  );
  return ['stateDiagram-v2', '    [*] --> offline', ...lines, '    deleted --> [*]'].join('\n');
}
