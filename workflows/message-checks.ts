/**
 * The form of messages that anyone with a terminal can send. Workflow code can't reject a signal, so a malformed one is
 * recorded and changes nothing.
 */
import type {
  CandidateRegistered,
  ChildReport,
  CutOverDecided,
  DeleteRequest,
  GoneOffline,
  HeartbeatLost,
  HeartbeatNews,
  MassSilenceLookedInto,
  RebalanceRecommendation,
  Registration,
  SetProtectedRequest,
  SwitchCancel,
  SwitchNotice,
  SwitchRequest,
  TerminationNotice,
} from '../contracts/messages';
import type { DeliveryEnded } from '../contracts/notifications';
import {
  type PromoteReplicaRequest,
  REPLICA_MODES,
  type ReplicaRegistered,
  type SetReplicaModeRequest,
  type SyncStatusNews,
} from '../contracts/replicas';
import { KEEP_ALIVE_DEFAULT_MINUTES } from './agent-liveness';

export type Checked<T> = { ok: true; message: T } | { ok: false; reason: string };

type Fields = Record<string, unknown>;

/** Checks that `input` is an object whose named fields pass; the reason names the first that doesn't. */
function checkFields<T>(input: unknown, fields: Record<string, (value: unknown) => boolean>): Checked<T> {
  if (typeof input !== 'object' || input === null || Array.isArray(input) || ArrayBuffer.isView(input)) {
    return { ok: false, reason: `it takes a JSON object, got ${describe(input)}` };
  }
  if ('unreadablePayload' in input) {
    return { ok: false, reason: `it takes JSON, and can't be read (${String(input.unreadablePayload)})` };
  }
  for (const [name, passes] of Object.entries(fields)) {
    const value = (input as Fields)[name];
    if (!passes(value)) return { ok: false, reason: `its field ${name} can't be ${describe(value)}` };
  }
  return { ok: true, message: input as T };
}

function describe(value: unknown): string {
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`;
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

/** Postgres takes neither NUL nor half a surrogate pair. */
const storable = (value: string) => !value.includes('\0') && value.isWellFormed();
const text = (value: unknown) =>
  typeof value === 'string' && value !== '' && value.length <= 512 && storable(value);
/** A sentence of our own making, which can be long. */
const sentence = (value: unknown) => typeof value === 'string' && storable(value);
const textOrNull = (value: unknown) => value === null || text(value);
const count = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
const instant = (value: unknown) => typeof value === 'string' && !Number.isNaN(Date.parse(value));
const instantOrNull = (value: unknown) => value === null || instant(value);
const percentOrNull = (value: unknown) =>
  value === null || (typeof value === 'number' && value >= 0 && value <= 100);
const optional = (passes: (value: unknown) => boolean) => (value: unknown) =>
  value === undefined || passes(value);
const oneOf =
  (...allowed: unknown[]) =>
  (value: unknown) =>
    allowed.includes(value);
const truth = (value: unknown) => typeof value === 'boolean';
const object = (value: unknown) => typeof value === 'object' && value !== null;

export function checkHeartbeat(input: unknown): Checked<HeartbeatNews> {
  return checkFields(input, {
    instanceId: text,
    revision: count,
    health: oneOf('healthy', 'unhealthy'),
    gpuUtilizationPercent: optional(percentOrNull),
    idleSince: optional(instantOrNull),
    receivedAt: instant,
  });
}

export function checkHeartbeatLost(input: unknown): Checked<HeartbeatLost> {
  return checkFields(input, {
    instanceId: text,
    revision: count,
    lastHeartbeatAt: instant,
    massSilence: optional(oneOf(true, false)),
  });
}

export function checkMassSilenceLookedInto(input: unknown): Checked<MassSilenceLookedInto> {
  return checkFields(input, { at: instant });
}

export function checkGoneOffline(input: unknown): Checked<GoneOffline> {
  return checkFields(input, {
    instanceId: textOrNull,
    named: oneOf(undefined, true, false),
    revision: count,
    receivedAt: instant,
  });
}

export function checkTerminationNotice(input: unknown): Checked<TerminationNotice> {
  return checkFields(input, {
    instanceId: text,
    action: oneOf('terminate', 'stop', 'hibernate'),
    actionAt: instant,
    receivedAt: instant,
  });
}

export function checkRebalanceRecommendation(input: unknown): Checked<RebalanceRecommendation> {
  return checkFields(input, { instanceId: text, noticedAt: instant, receivedAt: instant });
}

const LONGEST_KEEP_ALIVE_MINUTES = 60 * 24 * 30;

/** No argument, or none of `minutes`, means an hour. Returns the minutes. */
export function checkKeepAlive(input: unknown): Checked<number> {
  if (input === undefined || input === null) return { ok: true, message: KEEP_ALIVE_DEFAULT_MINUTES };
  const checked = checkFields<{ minutes?: number }>(input, {
    minutes: (value) =>
      value === undefined || (typeof value === 'number' && value > 0 && value <= LONGEST_KEEP_ALIVE_MINUTES),
  });
  return checked.ok ? { ok: true, message: checked.message.minutes ?? KEEP_ALIVE_DEFAULT_MINUTES } : checked;
}

const pool = (value: unknown) =>
  checkFields(value, { instanceType: text, zone: text, option: oneOf('spot', 'ondemand') }).ok;

type FieldChecks = Record<string, (value: unknown) => boolean>;

const REPORT_FIELDS: Record<ChildReport['kind'], FieldChecks> = {
  poolRefused: { switchNumber: count, pool, message: sentence },
  instanceLaunched: { switchNumber: count, launchId: text, instanceId: text, pool },
  launchAbandoned: { switchNumber: count, launchId: text, instanceId: textOrNull, message: sentence },
  cutOverRequested: { switchNumber: count, instanceId: text },
  needsOperator: { message: sentence, instanceId: textOrNull },
  switchEnded: { switchNumber: count, outcome: oneOf('completed', 'failed', 'cancelled'), message: sentence },
  hibernationEnded: {
    number: count,
    outcome: oneOf('done', 'gone', 'cancelled', 'held', 'failed'),
    method: oneOf(null, 'hibernate', 'stop', 'image', 'snapshots'),
    imageId: textOrNull,
    snapshotIds: (value) => Array.isArray(value) && value.every(text),
    unreachable: oneOf(undefined, true),
    message: sentence,
  },
  resumptionEnded: { number: count, outcome: oneOf('started', 'gone', 'failed'), message: sentence },
  retirementEnded: { instanceId: text, outcome: oneOf('terminated', 'kept', 'refused') },
  replicaRefused: { replicaId: text, pool, message: sentence },
  replicaLaunched: { replicaId: text, launchId: text, instanceId: text, pool },
  replicaAbandoned: { replicaId: text, launchId: text, instanceId: textOrNull, message: sentence },
  replicaReady: { replicaId: text, ready: truth, message: sentence },
  replicaEnded: { replicaId: text, outcome: oneOf('promoted', 'terminated', 'failed'), message: sentence },
};

export function checkChildReport(input: unknown): Checked<ChildReport> {
  const outer = checkFields<ChildReport>(input, { kind: oneOf(...Object.keys(REPORT_FIELDS)) });
  return outer.ok ? checkFields(input, REPORT_FIELDS[outer.message.kind]) : outer;
}

export function checkCandidateRegistered(input: unknown): Checked<CandidateRegistered> {
  return checkFields(input, { instanceId: text, launchId: text, healthy: truth });
}

export function checkCutOverDecided(input: unknown): Checked<CutOverDecided> {
  return checkFields(input, { instanceId: text, committed: truth, reason: sentence });
}

export function checkSwitchNotice(input: unknown): Checked<SwitchNotice> {
  return checkFields(input, { instanceId: text, role: oneOf('primary', 'candidate'), message: sentence });
}

/** Returns the reason; none need be given. */
export function checkCancel(input: unknown): Checked<string> {
  if (input === undefined || input === null) return { ok: true, message: 'a person cancelled the switch' };
  const checked = checkFields<SwitchCancel>(input, { reason: sentence });
  return checked.ok ? { ok: true, message: checked.message.reason } : checked;
}

export function checkRegistration(input: unknown): Checked<Registration> {
  const outer = checkFields<Registration>(input, {
    facts: object,
    policy: object,
    launch: (value) => value === null || object(value),
  });
  if (!outer.ok) return outer;
  const facts = checkFields(outer.message.facts, {
    instanceId: text,
    instanceType: text,
    zone: text,
    region: text,
    accountId: text,
    mode: oneOf('spot', 'ondemand'),
  });
  return facts.ok ? outer : { ok: false, reason: facts.reason };
}

export function checkRequestedBy(input: unknown): Checked<{ requestedBy: string }> {
  return checkFields(input, { requestedBy: text });
}

export function checkDelete(input: unknown): Checked<DeleteRequest> {
  return checkFields(input, { requestedBy: text, instances: oneOf('keep', 'retire') });
}

export function checkSetProtected(input: unknown): Checked<SetProtectedRequest> {
  return checkFields(input, { requestedBy: text, protected: truth });
}

export function checkSwitchRequest(input: unknown): Checked<SwitchRequest> {
  return checkFields(input, {
    priority: oneOf('automatic', 'manual', 'emergency'),
    targetMode: oneOf(null, 'spot', 'ondemand'),
    targetPool: (value) => value === null || object(value),
    terminateWaitSeconds: (value) => value === null || (typeof value === 'number' && value > 0),
    requestedBy: text,
    requestId: text,
  });
}

export function checkSetReplicaMode(input: unknown): Checked<SetReplicaModeRequest> {
  return checkFields(input, { requestedBy: text, mode: oneOf(...REPLICA_MODES) });
}

export function checkPromoteReplica(input: unknown): Checked<PromoteReplicaRequest> {
  return checkFields(input, { requestedBy: text, replicaId: textOrNull });
}

export function checkReplicaRegistered(input: unknown): Checked<ReplicaRegistered> {
  return checkFields(input, { instanceId: text, launchId: text });
}

export function checkSyncStatus(input: unknown): Checked<SyncStatusNews> {
  return checkFields(input, { instanceId: text, revision: count, ready: truth, message: sentence });
}

/** Why a child is to end, or what it became; none need be given. */
export function checkReason(input: unknown): Checked<string> {
  if (input === undefined || input === null) return { ok: true, message: 'a person asked for it' };
  const checked = checkFields<{ reason: string }>(input, { reason: sentence });
  return checked.ok ? { ok: true, message: checked.message.reason } : checked;
}

export function checkDeliveryEnded(input: unknown): Checked<DeliveryEnded> {
  return checkFields(input, { deliveryId: text, outcome: oneOf('delivered', 'failed', 'cancelled') });
}
