/** The agent's reducer: each rule of who is who, without Temporal. */
import type { InstanceSighting } from '../../contracts/activities';
import { DEFAULT_POLICY } from '../../contracts/policy-defaults';
import { nextDeadlineMs } from '../../workflows/agent-deadlines';
import type { AgentEvent } from '../../workflows/agent-transitions';
import { iso, running, Subject, T0 } from '../harness/agent-subject';
import { instanceFacts as facts } from '../harness/instance-facts';

describe('registration', () => {
  it('makes the first instance the primary of incarnation 1', () => {
    const subject = new Subject();
    expect(subject.register(facts('i-1'))).toEqual({ result: 'accepted', role: 'primary', incarnation: 1 });
    expect(subject.state.status).toBe('online');
  });

  it('gives a repeated registration the same answer and changes nothing', () => {
    const subject = running();
    const before = subject.state;
    expect(subject.register(facts('i-1'))).toEqual({ result: 'accepted', role: 'primary', incarnation: 1 });
    expect(subject.state).toEqual(before);
  });

  it('raises the revision of the configuration when a later one brings another policy', () => {
    const subject = new Subject();
    const faster = { ...DEFAULT_POLICY, heartbeatIntervalSeconds: 5 };
    subject.register(facts('i-1'), null, faster);
    expect(subject.publication?.configRevision).toBe(1);
    subject.register(facts('i-1'), null, faster);
    expect(subject.state.configRevision).toBe(1);
    subject.register(facts('i-1'));
    expect(subject.publication?.configRevision).toBe(2);
  });

  it('refuses a second machine while the primary lives', () => {
    const subject = running();
    expect(subject.register(facts('i-2'))).toMatchObject({ result: 'refused', code: 'has_primary' });
    expect(subject.state.primary?.instanceId).toBe('i-1');
  });

  it('lets a second machine follow one that said goodbye', () => {
    const subject = running().on({
      kind: 'goneOffline',
      message: { instanceId: 'i-1', revision: 2, receivedAt: iso(T0) },
    });
    expect(subject.register(facts('i-2'))).toEqual({ result: 'accepted', role: 'primary', incarnation: 2 });
    expect(subject.register(facts('i-1'))).toMatchObject({ code: 'stand_down' });
  });

  it('asks an unmatched machine to wait while a launch is in flight', () => {
    const subject = running();
    subject.requestSwitch();
    expect(subject.register(facts('i-9'))).toMatchObject({ result: 'wait' });
  });

  it('takes a launch once, by its own instance', () => {
    const subject = running();
    subject.requestSwitch();
    subject.candidate('i-2');
    const launch = { launchId: 'launch-i-2', switchNumber: 1 };
    expect(subject.register(facts('i-3'), launch)).toMatchObject({
      result: 'refused',
      code: 'unknown_launch',
    });
    expect(subject.register(facts('i-2'), launch)).toMatchObject({ result: 'accepted', role: 'candidate' });
  });

  it('retires a machine whose launch was given up before it registered', () => {
    const subject = running();
    subject.requestSwitch();
    subject.on({
      kind: 'childReport',
      message: {
        kind: 'launchAbandoned',
        switchNumber: 1,
        launchId: 'l1',
        instanceId: null,
        message: 'late',
      },
    });
    subject.on({
      kind: 'childReport',
      message: { kind: 'switchEnded', switchNumber: 1, outcome: 'failed', message: 'no pool' },
    });
    expect(subject.register(facts('i-2'), { launchId: 'l1', switchNumber: 1 })).toMatchObject({
      code: 'stand_down',
    });
    expect(subject.kinds()).toEqual(['startRetirement']);
  });
});

describe('a switch', () => {
  it('keeps the primary until the cut-over is committed, and retires it after that', () => {
    const subject = running();
    subject.requestSwitch({ terminateWaitSeconds: 90 });
    subject.candidate('i-2');
    expect(subject.state).toMatchObject({ incarnation: 1, primary: { instanceId: 'i-1' } });
    subject.cutOver('i-2');
    expect(subject.state).toMatchObject({ incarnation: 2, primary: { instanceId: 'i-2' }, candidate: null });
    const retirement = subject.effects.find((effect) => effect.kind === 'startRetirement');
    expect(retirement).toMatchObject({
      workflowId: 'retire:c1:i-1',
      input: { waitSeconds: 90, reason: 'superseded' },
    });
  });

  it('does not cut over to a candidate that is not healthy', () => {
    const subject = running();
    subject.requestSwitch();
    subject.candidate('i-2').beat('i-2', 2, 'unhealthy');
    subject.on({
      kind: 'childReport',
      message: { kind: 'cutOverRequested', switchNumber: 1, instanceId: 'i-2' },
    });
    expect(subject.effects).toMatchObject([{ kind: 'signalSwitch', payload: { committed: false } }]);
    expect(subject.state.primary?.instanceId).toBe('i-1');
  });

  it('changes nothing when the conditional update was refused', () => {
    const subject = running();
    subject.requestSwitch();
    subject.candidate('i-2');
    subject.on({
      kind: 'cutOverCommitted',
      candidate: facts('i-2'),
      result: { committed: false, reason: 'moved on' },
    });
    expect(subject.state).toMatchObject({ incarnation: 1, primary: { instanceId: 'i-1' } });
    expect(subject.kinds()).toEqual(['signalSwitch']);
  });

  it('answers a repeated request with the same switch', () => {
    const subject = running();
    const first = subject.requestSwitch();
    expect(subject.requestSwitch()).toEqual(first);
    expect(subject.effects).toEqual([]);
    expect(subject.state.switchCount).toBe(1);
  });

  it('retires at once what a given-up launch left', () => {
    const subject = running();
    subject.requestSwitch();
    subject.candidate('i-2');
    subject.on({
      kind: 'childReport',
      message: {
        kind: 'launchAbandoned',
        switchNumber: 1,
        launchId: 'launch-i-2',
        instanceId: 'i-2',
        message: 'unhealthy',
      },
    });
    expect(subject.effects).toMatchObject([
      { kind: 'startRetirement', input: { instanceId: 'i-2', waitSeconds: 0 } },
    ]);
    expect(subject.state.candidate).toBeNull();
    expect(subject.register(facts('i-2'))).toMatchObject({ code: 'stand_down' });
  });

  it('gives up the launches of a switch that was ended from outside', () => {
    const subject = running();
    subject.requestSwitch();
    subject.candidate('i-2');
    subject.on({ kind: 'childLookedUp', workflowId: 'switch:a1:1', open: false, status: 'TERMINATED' });
    expect(subject.kinds()).toEqual(['startRetirement']);
    expect(subject.state.activeSwitch).toBeNull();
  });

  it('asks after a switch that is overdue', () => {
    const subject = running();
    subject.requestSwitch();
    subject.on({ kind: 'clock' }, 3_600_000);
    expect(subject.effects).toEqual([{ kind: 'lookUpChild', workflowId: 'switch:a1:1' }]);
  });
});

describe('a notice', () => {
  it('on the primary starts one emergency switch, however often it is told', () => {
    const subject = running().notice('i-1');
    expect(subject.effects).toMatchObject([
      { kind: 'startSwitch', input: { priority: 'emergency', switchNumber: 1 } },
    ]);
    expect(subject.notice('i-1').effects).toEqual([]);
  });

  it('on the primary during a switch makes that switch an emergency', () => {
    const subject = running();
    subject.requestSwitch();
    subject.notice('i-1');
    expect(subject.effects).toMatchObject([
      { kind: 'signalSwitch', signal: 'notice', payload: { role: 'primary' } },
    ]);
    expect(subject.state.activeSwitch?.priority).toBe('emergency');
  });

  it('on the candidate is passed on to its switch', () => {
    const subject = running();
    subject.requestSwitch();
    subject.candidate('i-2').notice('i-2');
    expect(subject.effects).toMatchObject([
      { kind: 'signalSwitch', payload: { role: 'candidate', instanceId: 'i-2' } },
    ]);
  });

  it('on a zombie is recorded only', () => {
    const subject = running();
    subject.requestSwitch();
    subject.candidate('i-2').cutOver('i-2').notice('i-1');
    expect(subject.effects).toEqual([]);
    expect(subject.eventTypes).toEqual(['termination_notice']);
  });

  it('whose switch failed is answered again, because the machine will still go', () => {
    const subject = running().notice('i-1');
    subject.on({
      kind: 'childReport',
      message: { kind: 'switchEnded', switchNumber: 1, outcome: 'failed', message: 'no pool' },
    });
    expect(subject.state.recoverAtMs).toBe(subject.nowMs + 30_000);
    subject.on({ kind: 'clock' }, 30_000);
    expect(subject.effects).toMatchObject([{ kind: 'startSwitch', input: { switchNumber: 2 } }]);
  });
});

describe('silence', () => {
  const lost = (revision: number): AgentEvent => ({
    kind: 'heartbeatLost',
    message: { instanceId: 'i-1', revision, lastHeartbeatAt: iso(T0) },
  });
  const sighted = (sighting: InstanceSighting, askedRevision = 1_000): AgentEvent => ({
    kind: 'instanceSighted',
    facts: facts('i-1'),
    sighting,
    message: sighting,
    askedRevision,
  });

  it('is not death: EC2 is asked first', () => {
    const subject = running().on(lost(2));
    expect(subject.kinds()).toEqual(['lookUpInstance']);
    expect(subject.state.status).toBe('online');
  });

  it.each(['running', 'unknown', 'stopped'] as const)(
    'of an instance that EC2 calls %s moves nothing',
    (sighting) => {
      const subject = running().on(lost(2)).on(sighted(sighting));
      expect(subject.state).toMatchObject({ status: 'silent', primary: { instanceId: 'i-1' } });
      expect(subject.effects).toEqual([]);
    },
  );

  it('of an instance that EC2 calls gone is answered at once', () => {
    const subject = running().on(lost(2)).on(sighted('gone'));
    expect(subject.kinds()).toEqual(['startRetirement', 'startSwitch']);
    expect(subject.state).toMatchObject({
      primary: null,
      incarnation: 1,
      noPrimaryReason: expect.stringContaining('i-1'),
    });
  });

  it('of an instance is asked about again: soon when EC2 gave no answer, later when it runs', () => {
    const subject = running().on(lost(2)).on(sighted('unknown'));
    expect(nextDeadlineMs(subject.state)).toBe(subject.nowMs + 15_000);
    subject.on({ kind: 'clock' }, 15_000);
    expect(subject.kinds()).toEqual(['lookUpInstance']);
    subject.on(sighted('running'));
    expect(subject.state.askAgainAtMs).toBe(subject.nowMs + 300_000);
    subject.on({ kind: 'clock' }, 300_000);
    expect(subject.kinds()).toEqual(['lookUpInstance']);
    expect(subject.on(sighted('gone')).kinds()).toEqual(['startRetirement', 'startSwitch']);
    expect(subject.state.askAgainAtMs).toBeNull();
  });

  it('takes NotFound for the end only when EC2 keeps to it for a minute, and no heartbeat came', () => {
    const subject = running().on(lost(2)).on(sighted('not_found', 2));
    subject.on(sighted('not_found', 2), 59_000 - 1_000);
    expect(subject.state.primary?.instanceId).toBe('i-1');
    const heard = running()
      .on(lost(2))
      .on(sighted('not_found', 2))
      .beat('i-1', 3)
      .on(sighted('not_found', 2), 90_000);
    expect(heard.state).toMatchObject({ status: 'online', primary: { instanceId: 'i-1' } });
    subject.on(sighted('not_found', 2), 2_000);
    expect(subject.state.primary).toBeNull();
    expect(subject.kinds()).toEqual(['startRetirement', 'startSwitch']);
  });

  it('is over when the agent speaks before EC2 has answered', () => {
    const subject = running().on(lost(2));
    subject.beat('i-1', 3).on(sighted('running', 2));
    expect(subject.state.status).toBe('online');
  });

  it('makes an orphan after the policy says so, and a heartbeat makes it well again', () => {
    const subject = running().on(lost(2)).on(sighted('running'));
    // Silence counts from the last heartbeat.
    expect(nextDeadlineMs(subject.state)).toBe(T0 + 300_000);
    subject.on({ kind: 'clock' }, 300_000);
    expect(subject.state.status).toBe('orphaned');
    expect(subject.eventTypes).toContain('agent_orphaned');
    expect(subject.beat('i-1', 4).state).toMatchObject({ status: 'online', silentSinceMs: null });
  });

  it('does not count while the agent is kept alive', () => {
    const subject = running().on(lost(2)).on(sighted('running')).on({ kind: 'keepAlive', minutes: 60 });
    subject.on({ kind: 'clock' }, 3_600_000);
    expect(subject.state).toMatchObject({ status: 'silent', keepAliveUntilMs: null });
    subject.on({ kind: 'clock' }, 299_000);
    expect(subject.state.status).toBe('silent');
    subject.on({ kind: 'clock' }, 1_000);
    expect(subject.state.status).toBe('orphaned');
  });

  it('ignores news that is older than what was seen', () => {
    const subject = running().on(lost(2)).on(sighted('running')).beat('i-1', 5);
    expect(subject.on(lost(4)).effects).toEqual([]);
    expect(subject.state.status).toBe('online');
  });
});

describe('a goodbye', () => {
  const goodbye = (instanceId: string | null, revision = 9): AgentEvent => ({
    kind: 'goneOffline',
    message: { instanceId, revision, receivedAt: iso(T0) },
  });

  it('of the primary is obeyed', () => {
    expect(running().on(goodbye('i-1')).state.status).toBe('offline');
  });

  const unnamed = (revision: number): AgentEvent => ({
    kind: 'goneOffline',
    message: { instanceId: 'i-1', named: false, revision, receivedAt: iso(T0) },
  });

  it('that names no instance is obeyed while there has only been one', () => {
    expect(running().on(unnamed(9)).state.status).toBe('offline');
  });

  it('that names no instance and comes twice, late, takes nobody offline again', () => {
    const subject = running().on(unnamed(9)).beat('i-1', 10);
    expect(subject.on(unnamed(9))).toMatchObject({ publication: null, state: { status: 'online' } });
  });

  it('that names no instance changes nothing once a candidate, or another primary, is there', () => {
    const subject = running();
    subject.requestSwitch();
    subject.candidate('i-2');
    expect(subject.on(unnamed(9)).state).toMatchObject({ status: 'online', goodbyeHeld: false });
    subject.cutOver('i-2');
    expect(subject.on(unnamed(10)).state.status).toBe('online');
  });

  it('that may be any instance is recorded only', () => {
    const subject = running().on(goodbye(null));
    expect(subject.state.status).toBe('online');
    expect(subject.eventTypes).toEqual(['offline_not_obeyed']);
  });

  it('of a zombie does not take its successor down, named or not', () => {
    const subject = running();
    subject.requestSwitch();
    subject.candidate('i-2').cutOver('i-2');
    expect(subject.on(goodbye('i-1')).state.status).toBe('online');
    expect(subject.on(goodbye(null, 10)).state.status).toBe('online');
    expect(subject.eventTypes).toEqual(['offline_not_obeyed']);
  });

  it('after a notice cancels nothing', () => {
    const subject = running().notice('i-1').on(goodbye('i-1'));
    expect(subject.state).toMatchObject({ status: 'online', activeSwitch: { switchNumber: 1 } });
  });
});

describe('what comes at a bad moment', () => {
  const ended = (outcome: 'completed' | 'failed', switchNumber = 1): AgentEvent => ({
    kind: 'childReport',
    message: { kind: 'switchEnded', switchNumber, outcome, message: outcome },
  });

  it('a notice on the new primary before its switch has reported starts another switch at once', () => {
    const subject = running();
    subject.requestSwitch();
    subject.candidate('i-2').cutOver('i-2').notice('i-2');
    subject.on(ended('completed'));
    expect(subject.effects).toMatchObject([
      { kind: 'startSwitch', input: { switchNumber: 2, from: { instanceId: 'i-2' } } },
    ]);
  });

  it('a deletion while the books are asked for the cut-over gives the candidate up', () => {
    const subject = running();
    subject.requestSwitch();
    subject.candidate('i-2');
    subject.delete();
    subject.on({
      kind: 'cutOverCommitted',
      candidate: facts('i-2'),
      result: { committed: true, reason: 'committed' },
    });
    expect(subject.effects).toMatchObject([{ kind: 'signalSwitch', payload: { committed: false } }]);
    expect(subject.state).toMatchObject({ status: 'deleted', primary: null });
  });

  it('the loss of the new primary before its switch has reported does so too', () => {
    const subject = running();
    subject.requestSwitch();
    subject.candidate('i-2').cutOver('i-2');
    const sighting = {
      kind: 'instanceSighted',
      facts: facts('i-2'),
      sighting: 'gone',
      message: '',
      askedRevision: 9,
    } as const;
    subject.on(sighting).on(ended('completed'));
    expect(subject.kinds()).toContain('startSwitch');
  });

  it('a candidate that was given notice does not take over', () => {
    const subject = running();
    subject.requestSwitch();
    subject.candidate('i-2').notice('i-2');
    subject.on({
      kind: 'childReport',
      message: { kind: 'cutOverRequested', switchNumber: 1, instanceId: 'i-2' },
    });
    expect(subject.effects).toMatchObject([{ signal: 'cutOverDecided', payload: { committed: false } }]);
  });

  it('a candidate that says goodbye does not take over', () => {
    const subject = running();
    subject.requestSwitch();
    subject
      .candidate('i-2')
      .on({ kind: 'goneOffline', message: { instanceId: 'i-2', revision: 5, receivedAt: iso(T0) } });
    expect(subject.effects).toMatchObject([{ signal: 'candidateRegistered', payload: { healthy: false } }]);
    subject.on({
      kind: 'childReport',
      message: { kind: 'cutOverRequested', switchNumber: 1, instanceId: 'i-2' },
    });
    expect(subject.effects).toMatchObject([{ signal: 'cutOverDecided', payload: { committed: false } }]);
  });

  it('the goodbye of a primary during a switch counts once the switch has failed', () => {
    const subject = running();
    subject.requestSwitch();
    subject.on({ kind: 'goneOffline', message: { instanceId: 'i-1', revision: 5, receivedAt: iso(T0) } });
    expect(subject.state.status).toBe('online');
    subject.on(ended('failed'));
    expect(subject.state.status).toBe('offline');
  });

  it('a candidate whose launch was never reported is retired when its switch ends', () => {
    const subject = running();
    subject.requestSwitch();
    subject.register(facts('i-2'), { launchId: 'l1', switchNumber: 1 });
    subject.on(ended('failed'));
    expect(subject.effects).toMatchObject([{ kind: 'startRetirement', input: { instanceId: 'i-2' } }]);
    expect(subject.register(facts('i-2'))).toMatchObject({ code: 'stand_down' });
  });

  it('a candidate of the next launch waits while the one before is being given up', () => {
    const subject = running();
    subject.requestSwitch();
    subject.candidate('i-2');
    expect(subject.register(facts('i-3'), { launchId: 'l2', switchNumber: 1 })).toMatchObject({
      result: 'wait',
    });
  });

  it('a machine that a person brings is taken when nothing runs the agent and nothing is on its way', () => {
    const subject = running();
    const sighting = {
      kind: 'instanceSighted',
      facts: facts('i-1'),
      sighting: 'gone',
      message: '',
      askedRevision: 9,
    } as const;
    subject.on(sighting);
    expect(subject.register(facts('i-9'))).toMatchObject({
      result: 'accepted',
      role: 'primary',
      incarnation: 2,
    });
    expect(subject.effects).toMatchObject([{ kind: 'signalSwitch', signal: 'cancel' }]);
  });

  it('recoveries that fail come at longer and longer intervals', () => {
    const subject = running().notice('i-1');
    const pauses = [1, 2, 3, 4, 5, 6].map((switchNumber) => {
      subject.on(ended('failed', switchNumber));
      const pause = (subject.state.recoverAtMs ?? 0) - subject.nowMs;
      subject.on({ kind: 'clock' }, pause);
      return pause / 1000;
    });
    expect(pauses).toEqual([30, 60, 120, 240, 300, 300]);
  });

  it('the machine that a person left is kept, not retired', () => {
    const subject = running().on({
      kind: 'goneOffline',
      message: { instanceId: 'i-1', revision: 5, receivedAt: iso(T0) },
    });
    subject.register(facts('i-2'));
    expect(subject.effects).toEqual([]);
    expect(subject.eventTypes).toEqual(['instance_kept', 'agent_registered']);
  });
});

describe('keep-alive', () => {
  it('takes the later end of two', () => {
    const subject = running().on({ kind: 'keepAlive', minutes: 60 });
    const end = subject.state.keepAliveUntilMs;
    expect(subject.on({ kind: 'keepAlive', minutes: 5 }).state.keepAliveUntilMs).toBe(end);
  });

  it('that is malformed is recorded and changes nothing else', () => {
    const before = running();
    const { state } = before;
    before.on({ kind: 'malformed', name: 'keepAlive', reason: 'its field minutes can\'t be "x"' });
    expect({ ...before.state, rejectedMessages: [], revision: state.revision }).toEqual(state);
    expect(before.state.rejectedMessages).toHaveLength(1);
  });
});

it('carries its state over JSON unchanged', () => {
  const subject = running();
  subject.requestSwitch();
  subject.candidate('i-2').cutOver('i-2').notice('i-1').on({ kind: 'keepAlive', minutes: 1 });
  expect(JSON.parse(JSON.stringify(subject.state))).toEqual(subject.state);
});
