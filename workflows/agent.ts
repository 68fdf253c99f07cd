/** An agent's life, as wiring: messages go into an inbox, the reducer decides, and its effects are carried out here. */
import { defineSearchAttributeKey, WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  ChildWorkflowCancellationType,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  getExternalWorkflowHandle,
  log,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  startChild,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { type AgentPublication, failureTypes, type PublicationPlace } from '../contracts/activities';
import type {
  AgentInput,
  AgentStateView,
  DeleteAccepted,
  DeleteRequest,
  HibernateAccepted,
  HibernateRequest,
  Registration,
  RegistrationOutcome,
  ResumeAccepted,
  ResumeRequest,
  SetProtectedRequest,
  SwitchAccepted,
  SwitchRequest,
} from '../contracts/messages';
import { queryNames, signalNames, updateNames, workflowTypes } from '../contracts/messages';
import type { PromoteReplicaRequest, PromotionAccepted, SetReplicaModeRequest } from '../contracts/replicas';
import { DEFAULT_POLICY } from '../contracts/policy-defaults';
import { books, children, ec2Activities, noWorkerSentence, noWorkerTookIt } from './activity-options';
import { detailsOf, searchAttributesOf } from './agent-search-attributes';
import { nextDeadlineMs } from './agent-deadlines';
import { type AgentState, type Effect, initialState } from './agent-state';
import { type Refusal, refusalOf } from './agent-refusals';
import { viewOf } from './agent-view';
import { repeatedRequest } from './agent-switching';
import {
  type AgentEvent,
  onDelete,
  onEvent,
  onHibernate,
  onPromoteReplica,
  onRegister,
  onResume,
  onSetProtected,
  onSetReplicaMode,
  onSwitchRequest,
  type Transition,
} from './agent-transitions';
import {
  type Checked,
  checkChildReport,
  checkDelete,
  checkGoneOffline,
  checkHeartbeat,
  checkHeartbeatLost,
  checkKeepAlive,
  checkPromoteReplica,
  checkMassSilenceLookedInto,
  checkRebalanceRecommendation,
  checkRegistration,
  checkRequestedBy,
  checkSetProtected,
  checkSetReplicaMode,
  checkSwitchRequest,
  checkTerminationNotice,
} from './message-checks';
import { isLongRun } from './run-length';

export const registerUpdate = defineUpdate<RegistrationOutcome, [Registration]>(updateNames.register);
export const requestSwitchUpdate = defineUpdate<SwitchAccepted, [SwitchRequest]>(updateNames.requestSwitch);
export const hibernateUpdate = defineUpdate<HibernateAccepted, [HibernateRequest]>(updateNames.hibernate);
export const resumeUpdate = defineUpdate<ResumeAccepted, [ResumeRequest]>(updateNames.resume);
export const deleteUpdate = defineUpdate<DeleteAccepted, [DeleteRequest]>(updateNames.delete);
export const setProtectedUpdate = defineUpdate<void, [SetProtectedRequest]>(updateNames.setProtected);
export const setReplicaModeUpdate = defineUpdate<void, [SetReplicaModeRequest]>(updateNames.setReplicaMode);
export const promoteReplicaUpdate = defineUpdate<PromotionAccepted, [PromoteReplicaRequest]>(
  updateNames.promoteReplica,
);
export const agentStateQuery = defineQuery<AgentStateView>(queryNames.agentState);

export async function agentWorkflow(input: AgentInput): Promise<void> {
  // What an earlier release carried lacks what was added since.
  let state: AgentState = {
    ...initialState(input, DEFAULT_POLICY),
    ...(input.carried as AgentState | undefined),
  };
  const inbox: AgentEvent[] = [];
  /** Transitions made by updates, whose effects and publications the loop carries out. */
  const decided: Transition<unknown>[] = [];
  let publishedRevision = state.revision;
  let place: PublicationPlace = { run: state.run, historyLength: 0, publishedBefore: state.revision };
  let lookUps = 0;

  function onSignal<T>(
    name: string,
    check: (message: unknown) => Checked<T>,
    event: (message: T) => AgentEvent,
  ): void {
    setHandler(defineSignal<[unknown]>(name), (message: unknown) => {
      const checked = check(message);
      inbox.push(checked.ok ? event(checked.message) : { kind: 'malformed', name, reason: checked.reason });
    });
  }
  onSignal(signalNames.heartbeat, checkHeartbeat, (message) => ({ kind: 'heartbeat', message }));
  onSignal(signalNames.heartbeatLost, checkHeartbeatLost, (message) => ({ kind: 'heartbeatLost', message }));
  onSignal(signalNames.massSilenceLookedInto, checkMassSilenceLookedInto, (message) => ({
    kind: 'massSilenceLookedInto',
    message,
  }));
  onSignal(signalNames.goneOffline, checkGoneOffline, (message) => ({ kind: 'goneOffline', message }));
  onSignal(signalNames.keepAlive, checkKeepAlive, (minutes) => ({ kind: 'keepAlive', minutes }));
  onSignal(signalNames.terminationNotice, checkTerminationNotice, (message) => ({
    kind: 'terminationNotice',
    message,
  }));
  onSignal(signalNames.rebalanceRecommendation, checkRebalanceRecommendation, (message) => ({
    kind: 'rebalanceRecommendation',
    message,
  }));
  onSignal(signalNames.childReport, checkChildReport, (message) => ({ kind: 'childReport', message }));

  setHandler(agentStateQuery, () => viewOf(state));
  setHandler(
    registerUpdate,
    async (registration) => {
      const { answer } = decide((before, nowMs) => onRegister(before, registration, nowMs));
      const { revision } = state;
      // Answered once the books know the instance, so that its first heartbeat finds its place.
      await CancellationScope.nonCancellable(() => condition(() => publishedRevision >= revision));
      return answer;
    },
    { validator: (registration) => refuseUnless(checkRegistration(registration)) },
  );
  setHandler(
    requestSwitchUpdate,
    (request) => decide((before, nowMs) => onSwitchRequest(before, request, nowMs)).answer,
    {
      validator: (request) => {
        refuseUnless(checkSwitchRequest(request));
        if (!repeatedRequest(state, request.requestId)) refuse(refusalOf(state, 'switch'));
      },
    },
  );
  setHandler(
    hibernateUpdate,
    (request) => decide((before, nowMs) => onHibernate(before, request, nowMs)).answer,
    {
      validator: (request) => {
        refuseUnless(checkRequestedBy(request));
        refuse(refusalOf(state, 'hibernate'));
      },
    },
  );
  setHandler(resumeUpdate, (request) => decide((before, nowMs) => onResume(before, request, nowMs)).answer, {
    validator: (request) => {
      refuseUnless(checkRequestedBy(request));
      refuse(refusalOf(state, 'resume'));
    },
  });
  setHandler(
    deleteUpdate,
    async (request) => {
      const { answer } = decide((before, nowMs) => onDelete(before, request, nowMs));
      const { revision } = state;
      // Answered once the books say so, so that the next registration makes a new agent.
      await CancellationScope.nonCancellable(() => condition(() => publishedRevision >= revision));
      return answer;
    },
    { validator: (request) => refuseUnless(checkDelete(request)) },
  );
  setHandler(
    setProtectedUpdate,
    (request) => decide((before, nowMs) => onSetProtected(before, request, nowMs)).answer,
    {
      validator: (request) => {
        refuseUnless(checkSetProtected(request));
        refuse(refusalOf(state, 'protect'));
      },
    },
  );

  setHandler(
    setReplicaModeUpdate,
    (request) => decide((before, nowMs) => onSetReplicaMode(before, request, nowMs)).answer,
    {
      validator: (request) => {
        refuseUnless(checkSetReplicaMode(request));
        refuse(refusalOf(state, 'replicaMode'));
      },
    },
  );
  setHandler(
    promoteReplicaUpdate,
    (request) => decide((before, nowMs) => onPromoteReplica(before, request, nowMs)).answer,
    {
      validator: (request) => {
        refuseUnless(checkPromoteReplica(request));
        refuse(refusalOf(state, 'promote', request.replicaId));
      },
    },
  );

  /** Upholds the order of arrival: what signals said before comes first, although an update is answered at once. */
  function decide<Answer>(
    rule: (before: AgentState, nowMs: number) => Transition<Answer>,
  ): Transition<Answer> {
    for (let event = inbox.shift(); event; event = inbox.shift()) take(onEvent(state, event, Date.now()));
    return take(rule(state, Date.now()));
  }

  function take<Answer>(transition: Transition<Answer>): Transition<Answer> {
    state = transition.state;
    decided.push(transition);
    return transition;
  }

  async function carryOut({ effects, publication }: Transition<unknown>): Promise<void> {
    // A database that is away must not delay the answer to a notice; but nothing is retired that the books still call
    // the primary.
    const [endings, urgent] = partition(effects, (effect) => effect.kind === 'startRetirement');
    for (const effect of urgent) await carryOutEffect(effect);
    if (publication) await publish(publication);
    for (const effect of endings) await carryOutEffect(effect);
  }

  async function publish(publication: AgentPublication): Promise<void> {
    const { historyLength } = workflowInfo();
    if (historyLength !== place.historyLength) {
      place = { run: state.run, historyLength, publishedBefore: publishedRevision };
    }
    // Decided before what is published already: a cut-over's outcome is made known ahead of what asked for it.
    const overtaken = publication.revision < publishedRevision;
    await books.publishAgent({ ...publication, place, overtaken });
    publishedRevision = Math.max(publishedRevision, publication.revision);
    setCurrentDetails(detailsOf(state));
    const attributes = searchAttributesOf(state);
    if (attributes.changed(workflowInfo())) upsertSearchAttributes(attributes.pairs);
  }

  async function carryOutEffect(effect: Effect): Promise<void> {
    switch (effect.kind) {
      case 'startSwitch':
        return startAbandoned(
          workflowTypes.switch,
          effect.workflowId,
          effect.input,
          effect.input.from.instanceId,
        );
      case 'startRetirement':
        return startAbandoned(
          workflowTypes.retirement,
          effect.workflowId,
          effect.input,
          effect.input.instanceId,
        );
      case 'startHibernation':
        return startAbandoned(
          workflowTypes.hibernation,
          effect.workflowId,
          effect.input,
          effect.input.instance.instanceId,
        );
      case 'startResumption':
        return startAbandoned(
          workflowTypes.resumption,
          effect.workflowId,
          effect.input,
          effect.input.instance.instanceId,
        );
      case 'startReplica':
        return startAbandoned(
          workflowTypes.replica,
          effect.workflowId,
          effect.input,
          effect.input.primary.instanceId,
        );
      case 'signalReplica':
        return signalChild(effect.workflowId, effect.signal, effect.payload);
      case 'cancelHibernation':
        return signalChild(effect.workflowId, signalNames.cancel, { reason: effect.reason });
      case 'signalSwitch':
        return signalChild(effect.workflowId, effect.signal, effect.payload);
      case 'commitCutOver': {
        const { fromIncarnation, fromInstanceId, candidate, promotion } = effect;
        const { clientId, agentId } = state;
        const decidedAt = new Date().toISOString();
        const cutOver = {
          clientId,
          agentId,
          fromIncarnation,
          toIncarnation: fromIncarnation + 1,
          fromInstanceId,
          to: candidate,
          decidedAt,
          replicaId: promotion?.replicaId ?? null,
        };
        const result = await books.commitCutOver(cutOver);
        // Taken in at once: what updates decided meanwhile is published after it, and is then older.
        const event = {
          kind: 'cutOverCommitted',
          candidate,
          result,
          ...(promotion && { promotion }),
        } as const;
        const committed = onEvent(state, event, Date.now());
        state = committed.state;
        return carryOut(committed);
      }
      case 'lookUpInstance':
        void lookUp(async () => {
          const { facts } = effect;
          const askedRevision = state.leaseRevisions[facts.instanceId] ?? 0;
          const answer = await askEc2(facts.accountId, facts.region, facts.instanceId);
          return { kind: 'instanceSighted', facts, askedRevision, ...answer };
        });
        return;
      case 'lookUpChild':
        void lookUp(async () => {
          const answer = await children.lookUpWorkflow({ workflowId: effect.workflowId });
          return { kind: 'childLookedUp', workflowId: effect.workflowId, ...answer };
        });
        return;
    }
  }

  /** A question that may take its time; its answer comes by the inbox. */
  async function lookUp(ask: () => Promise<AgentEvent>): Promise<void> {
    lookUps += 1;
    try {
      inbox.push(await ask());
    } finally {
      lookUps -= 1;
    }
  }

  async function askEc2(accountId: string, region: string, instanceId: string) {
    const { clientId, agentId } = state;
    try {
      return await ec2Activities(accountId, region).lookUpInstance({
        clientId,
        agentId,
        instanceId,
        accountId,
        region,
      });
    } catch (error) {
      const message = noWorkerTookIt(error) ? noWorkerSentence(accountId, region) : String(error);
      return { sighting: 'unknown' as const, message };
    }
  }

  // An agent ends by being deleted. Cancelling its workflow would leave its machines to nobody.
  await CancellationScope.nonCancellable(live);

  async function live(): Promise<void> {
    while (!isOver()) await turn();
  }

  /** Deleted, and all that it started has ended. */
  function isOver(): boolean {
    if (state.status !== 'deleted' || state.activeSwitch !== null) return false;
    if (state.retirements.length > 0 || state.replicas.length > 0) return false;
    return inbox.length === 0 && decided.length === 0 && lookUps === 0 && allHandlersFinished();
  }

  async function turn(): Promise<void> {
    const deadlineMs = nextDeadlineMs(state);
    const awake = () => inbox.length > 0 || decided.length > 0 || isOver();
    if (!awake()) {
      if (deadlineMs === null) await condition(() => awake() || mayContinueAsNew());
      else await condition(() => awake() || mayContinueAsNew(), Math.max(1, deadlineMs - Date.now()));
    }
    const due = decided.shift();
    if (due) return carryOut(due);
    if (inbox.length > 0 || (deadlineMs !== null && deadlineMs <= Date.now())) return carryOut(decideNext());
    if (!mayContinueAsNew()) return;
    const { clientId, agentId, logicalAgentId, historyLimitEvents } = input;
    const next: AgentInput = {
      clientId,
      agentId,
      logicalAgentId,
      historyLimitEvents,
      carried: { ...state, run: state.run + 1 },
    };
    await continueAsNew<typeof agentWorkflow>(next);
  }

  function decideNext(): Transition {
    const transition = onEvent(state, inbox.shift() ?? { kind: 'clock' }, Date.now());
    state = transition.state;
    return transition;
  }

  function mayContinueAsNew(): boolean {
    return isLongRun(input.historyLimitEvents) && lookUps === 0 && allHandlersFinished();
  }
}

function partition<T>(all: readonly T[], belongs: (one: T) => boolean): [T[], T[]] {
  return [all.filter(belongs), all.filter((one) => !belongs(one))];
}

function refuse(refusal: Refusal | null): void {
  if (refusal) throw ApplicationFailure.create(refusal);
}

function refuseUnless(checked: Checked<unknown>): void {
  if (checked.ok) return;
  throw ApplicationFailure.create({
    type: failureTypes.invalidRequest,
    message: `The request can't be taken: ${checked.reason}.`,
  });
}

/** Children outlive this run (a continue-as-new would end them otherwise) and report by signal. */
async function startAbandoned(
  type: string,
  workflowId: string,
  childInput: { logicalAgentId: string; reason: string },
  instanceId: string,
): Promise<void> {
  try {
    await startChild(type, {
      workflowId,
      args: [childInput],
      staticSummary: `${childInput.logicalAgentId}: ${childInput.reason}`,
      parentClosePolicy: ParentClosePolicy.ABANDON,
      cancellationType: ChildWorkflowCancellationType.ABANDON,
      typedSearchAttributes: workflowInfo().typedSearchAttributes.updateCopy([
        { key: defineSearchAttributeKey('InstanceId', 'KEYWORD'), value: instanceId },
      ]),
    });
  } catch (error) {
    // Its id names what it is for, so the one that runs already does this work.
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    log.warn('child was already running', { workflowId });
  }
}

/** A switch that has ended needs no more news; whether it reported its end is asked when it is overdue. */
async function signalChild(workflowId: string, signal: string, payload: unknown): Promise<void> {
  try {
    await getExternalWorkflowHandle(workflowId).signal(signal, payload);
  } catch (error) {
    log.warn('signal to a workflow that is not running', { workflowId, signal, error: String(error) });
  }
}
