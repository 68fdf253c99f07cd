/** Heartbeats, silence, goodbyes and keep-alives: how the agent's status follows what is heard of its primary. */
import type { InstanceSighting } from '../contracts/activities';
import type {
  GoneOffline,
  HeartbeatLost,
  HeartbeatNews,
  InstanceFacts,
  SetProtectedRequest,
} from '../contracts/messages';
import { signalNames } from '../contracts/messages';
import { awake, cancelHibernation } from './agent-hibernation';
import { idlenessHeard } from './agent-idleness';
import { replicaOn } from './agent-replicas';
import { fallSilent, joinMassSilence } from './agent-silence';
import { type Draft, FRESH_SILENCE, freshPrimary } from './agent-state';
import { primaryIsGone } from './agent-switching';

export function heartbeat(draft: Draft, news: HeartbeatNews): void {
  const { state } = draft;
  if (!isNewer(draft, news)) return;
  if (state.candidate?.facts.instanceId === news.instanceId) return candidateBeat(draft, news);
  const replica = replicaOn(state, news.instanceId);
  if (replica) replica.healthy = news.health === 'healthy';
  if (state.primary?.instanceId !== news.instanceId) return;
  state.heartbeatsSeen += 1;
  state.lastHeartbeatMs = Date.parse(news.receivedAt);
  if (atRest(draft, news)) return;
  awake(draft);
  const before = state.status;
  freshPrimary(state);
  idlenessHeard(draft, news);
  if (before !== 'online') {
    draft.becomes('heard');
    draft.record({
      eventType: 'agent_online',
      severity: 'info',
      instanceId: news.instanceId,
      message: `Agent ${state.logicalAgentId} is heard again; it was ${before}.`,
    });
  }
  if (state.health !== news.health) {
    state.health = news.health;
    draft.touch();
  }
}

/** Whether the machine is at rest, or on its way there, so that the beat makes nothing well again. */
function atRest(draft: Draft, news: HeartbeatNews): boolean {
  const { state } = draft;
  const { hibernation } = state;
  if (hibernation === null) return false;
  // Sent before it stopped, and late.
  if (hibernation.phase !== 'hibernating') return Date.parse(news.receivedAt) <= hibernation.sinceMs;
  // Whoever is heard is none of those that are held for being silent together.
  if (draft.state.silence) draft.state.silence.mass = false;
  if (hibernation.cause === 'idle') idlenessHeard(draft, news);
  // Later beats are no news: if the rest comes to nothing, this one says how the agent is.
  freshPrimary(state);
  hibernation.before = 'online';
  state.health = news.health;
  if (hibernation.cause === 'silence' || hibernation.cause === 'forgotten') {
    hibernation.previous = null;
    cancelHibernation(draft, 'its agent is heard again');
  }
  return true;
}

function candidateBeat(draft: Draft, news: HeartbeatNews): void {
  candidateHealth(draft, news.instanceId, news.health === 'healthy');
}

function candidateHealth(draft: Draft, instanceId: string, healthy: boolean): void {
  const { candidate, activeSwitch } = draft.state;
  if (!candidate || !activeSwitch || candidate.healthy === healthy) return;
  candidate.healthy = healthy;
  draft.effect({
    kind: 'signalSwitch',
    workflowId: activeSwitch.workflowId,
    signal: signalNames.candidateRegistered,
    payload: { instanceId, launchId: candidate.launchId, healthy },
  });
}

/** The lease ran out. That alone is not death: EC2 is asked, and until it answers the status stays as it was. */
export function heartbeatLost(draft: Draft, lost: HeartbeatLost): void {
  const { state } = draft;
  if (!isNewer(draft, lost) || state.primary?.instanceId !== lost.instanceId) return;
  const news = { lastHeardMs: Date.parse(lost.lastHeartbeatAt), mass: lost.massSilence === true };
  if (state.status !== 'online') {
    if (news.mass) joinMassSilence(draft);
    // It is said once; who comes back from a rest that came to nothing asks EC2.
    if (state.status === 'hibernating') state.lost = news;
    return;
  }
  state.lost = news;
  draft.effect({ kind: 'lookUpInstance', facts: state.primary });
}

/** How soon EC2 is asked again when it gave no answer. An agent whose machine may be gone can't wait for long. */
const ASK_AGAIN_SECONDS = 15;

/** How long EC2 must go on not finding an instance until that counts as its end. */
const NOT_FOUND_SECONDS = 60;

/**
 * EC2's word on an instance whose lease ran out.
 * @param askedRevision the lease's revision when EC2 was asked; a higher one by now means that the agent spoke up since.
 */
export function instanceSighted(
  draft: Draft,
  facts: InstanceFacts,
  sighting: InstanceSighting,
  message: string,
  askedRevision: number,
): void {
  const { state, nowMs } = draft;
  if (state.primary?.instanceId !== facts.instanceId || state.status === 'offline') return;
  if (state.hibernation !== null) return; // Its workflow asks EC2 itself.
  if (sighting === 'gone') return primaryIsGone(draft, message);
  if ((state.leaseRevisions[facts.instanceId] ?? 0) > askedRevision) return;
  state.notFoundSinceMs = sighting === 'not_found' ? (state.notFoundSinceMs ?? nowMs) : null;
  if (state.notFoundSinceMs !== null && nowMs - state.notFoundSinceMs >= NOT_FOUND_SECONDS * 1000) {
    return primaryIsGone(draft, message);
  }
  const clear = sighting === 'running' || sighting === 'stopped';
  const askAgainSeconds = clear ? state.policy.retrySeconds : ASK_AGAIN_SECONDS;
  state.askAgainAtMs = nowMs + Math.min(askAgainSeconds, state.policy.retrySeconds) * 1000;
  if (state.status !== 'online') return;
  draft.becomes('leaseOver');
  fallSilent(draft, state.lost?.lastHeardMs ?? nowMs, state.lost?.mass ?? false);
  draft.record({
    eventType: 'agent_silent',
    severity: 'info',
    instanceId: facts.instanceId,
    message: `Agent ${state.logicalAgentId} is silent. EC2 says of ${facts.instanceId}: ${message}.`,
    details: { sighting },
  });
}

/**
 * A clean goodbye. From an instance that isn't the primary, unnamed after a move, or in a switch it changes nothing: but
 * a candidate that leaves isn't healthy, and a primary's is held until its switch has ended.
 */
export function goneOffline(draft: Draft, goodbye: GoneOffline): void {
  const { state } = draft;
  if (goodbye.instanceId !== null && !isNewer(draft, { ...goodbye, instanceId: goodbye.instanceId })) return;
  const fromPrimary = state.primary !== null && goodbye.instanceId === state.primary.instanceId;
  const sure = goodbye.named !== false || (state.incarnation <= 1 && state.candidate === null);
  const noticed = state.primary !== null && state.notices[state.primary.instanceId] !== undefined;
  const obeyed =
    fromPrimary &&
    sure &&
    state.activeSwitch === null &&
    state.hibernation === null &&
    !noticed &&
    state.primary !== null;
  if (obeyed && state.status === 'offline') return;
  if (obeyed) {
    freshPrimary(state);
    draft.becomes('goodbye');
  } else if (fromPrimary && sure) {
    state.goodbyeHeld = true;
  } else if (sure && goodbye.instanceId !== null) {
    if (goodbye.instanceId === state.candidate?.facts.instanceId) {
      candidateHealth(draft, goodbye.instanceId, false);
    }
    const replica = replicaOn(state, goodbye.instanceId);
    if (replica) replica.healthy = false;
  }
  draft.record({
    eventType: obeyed ? 'agent_offline' : 'offline_not_obeyed',
    severity: 'info',
    instanceId: goodbye.named === false ? null : goodbye.instanceId,
    message: obeyed
      ? `Agent ${state.logicalAgentId} was shut down cleanly.`
      : `A goodbye from ${(goodbye.named !== false && goodbye.instanceId) || 'an unnamed instance'} was recorded and changes nothing: ${state.activeSwitch ? `switch ${state.activeSwitch.switchNumber} runs` : state.hibernation ? 'it is at rest' : 'it is not the primary, or was given notice'}.`,
  });
}

export const KEEP_ALIVE_DEFAULT_MINUTES = 60;

/** Suspends the silence timers and lifts `orphaned`; of two keep-alives the later end wins. */
export function keepAlive(draft: Draft, minutes: number): void {
  const { state } = draft;
  const until = draft.nowMs + minutes * 60_000;
  state.keepAliveUntilMs = Math.max(state.keepAliveUntilMs ?? 0, until);
  draft.becomes('keptAlive');
  if (state.silence) {
    const { mass } = state.silence;
    state.silence = { ...FRESH_SILENCE, orphanedAtMs: orphanedAtRest(draft), mass };
  }
  if (state.idleness) state.idleness = { ...state.idleness, warnedAtMs: null, settled: false };
  if (state.hibernation?.phase === 'hibernating' && state.hibernation.cause !== 'person') {
    if (state.hibernation.before === 'orphaned') state.hibernation.before = 'silent';
    cancelHibernation(draft, 'it is kept alive');
  }
  draft.record({
    eventType: 'keep_alive',
    severity: 'info',
    message: `Agent ${state.logicalAgentId} is kept alive until ${new Date(state.keepAliveUntilMs).toISOString()}.`,
    details: { minutes },
  });
}

/** Hibernated for silence it stays orphaned, so that it can be forgotten; else the count begins anew. */
function orphanedAtRest({ state }: Draft): number | null {
  return state.status === 'hibernated' ? (state.silence?.orphanedAtMs ?? null) : null;
}

export function setProtected(draft: Draft, request: SetProtectedRequest): void {
  const { state } = draft;
  if (state.protected === request.protected) return;
  state.protected = request.protected;
  if (state.silence) state.silence.settled = false;
  const { hibernation } = state;
  if (request.protected && hibernation?.phase === 'hibernating' && hibernation.cause !== 'person') {
    cancelHibernation(draft, 'it is protected now');
  }
  draft.record({
    eventType: 'protection_changed',
    severity: 'info',
    message: `Agent ${state.logicalAgentId} is ${request.protected ? 'protected: no policy stops or deletes it' : 'not protected any more'}; ${request.requestedBy} asked for it.`,
  });
}

/** What is due by now. A machine can end during the silence, so EC2 is asked again and again. */
export function livenessTimers(draft: Draft): void {
  const { state, nowMs } = draft;
  if (state.keepAliveUntilMs !== null && state.keepAliveUntilMs <= nowMs) {
    const endedAtMs = state.keepAliveUntilMs;
    state.keepAliveUntilMs = null;
    state.keepAliveEndedMs = endedAtMs;
    if (state.silentSinceMs !== null) state.silentSinceMs = Math.max(state.silentSinceMs, endedAtMs);
    if (state.silence && state.silence.orphanedAtMs !== null) {
      state.silence.orphanedAtMs = Math.max(state.silence.orphanedAtMs, endedAtMs);
    }
    if (state.idleness) state.idleness.sinceMs = Math.max(state.idleness.sinceMs, endedAtMs);
    draft.record({
      eventType: 'keep_alive_expired',
      severity: 'info',
      message: `The keep-alive of agent ${state.logicalAgentId} has ended.`,
    });
  }
  if (state.askAgainAtMs !== null && state.askAgainAtMs <= nowMs) {
    state.askAgainAtMs = null;
    if (state.primary) draft.effect({ kind: 'lookUpInstance', facts: state.primary });
  }
}

/** Upholds A6. */
function isNewer(draft: Draft, message: { instanceId: string; revision: number }): boolean {
  const { leaseRevisions } = draft.state;
  if (message.revision <= (leaseRevisions[message.instanceId] ?? 0)) return false;
  leaseRevisions[message.instanceId] = message.revision;
  return true;
}
