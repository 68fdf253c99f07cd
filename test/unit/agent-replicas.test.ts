/** Replicas in the agent's reducer: when there is one, when it takes over, and what becomes of it. */
import { refusalOf } from '../../workflows/agent-refusals';
import { nextDeadlineMs } from '../../workflows/agent-deadlines';
import { running, type Subject } from '../harness/agent-subject';
import { instanceFacts as facts } from '../harness/instance-facts';

const withReplica = (zone?: string) => running().replicaMode('manual').readyReplica('i-r', zone);
const phases = ({ state }: Subject) => state.replicas.map((one) => `${one.replicaId} ${one.phase}`);
const books = ({ publication }: Subject) =>
  publication?.replicas.map((one) => `${one.replicaId} ${one.status}`);

describe('the mode', () => {
  it('manual keeps one replica, and asks for no second', () => {
    const subject = running().replicaMode('manual');
    expect(subject.effects).toMatchObject([
      {
        kind: 'startReplica',
        workflowId: 'replica:a1-r1',
        input: {
          replicaId: 'a1-r1',
          primary: { instanceId: 'i-1' },
          toIncarnation: 2,
          replicaType: 'manual',
        },
      },
    ]);
    expect(books(subject)).toEqual(['a1-r1 launching']);
    expect(subject.replicaMode('manual').effects).toEqual([]);
    expect(subject.beat('i-1', 2).effects).toEqual([]);
  });

  it('automatic keeps one for a spot primary only', () => {
    expect(running().replicaMode('automatic').kinds()).toEqual(['startReplica']);
    const onDemand = running();
    onDemand.state.primary = facts('i-1', { mode: 'ondemand' });
    expect(onDemand.replicaMode('automatic').kinds()).toEqual([]);
  });

  it('none ends the replica, whose machine is retired once its workflow has wound it up', () => {
    const subject = withReplica().replicaMode('none');
    expect(subject.effects).toMatchObject([
      { kind: 'signalReplica', workflowId: 'replica:a1-r1', signal: 'terminate' },
    ]);
    expect(subject.eventTypes).toEqual(['replica_mode_changed', 'replica_terminated']);
    expect(books(subject)).toEqual(['a1-r1 terminating']);
    subject.report({ kind: 'replicaEnded', replicaId: 'a1-r1', outcome: 'terminated', message: 'so' });
    expect(subject.effects).toMatchObject([
      { kind: 'startRetirement', input: { instanceId: 'i-r', reason: 'replica_terminated', waitSeconds: 0 } },
    ]);
    expect(subject.state.replicas).toEqual([]);
    expect(subject.register(facts('i-r'))).toMatchObject({ code: 'stand_down' });
  });

  it('on again while the old one ends starts another at once', () => {
    const subject = withReplica().replicaMode('none').replicaMode('manual');
    expect(phases(subject)).toEqual(['a1-r1 ending', 'a1-r2 launching']);
  });
});

describe('a notice on the primary', () => {
  it('makes a ready replica the primary by one conditional update, retires the old one and starts another replica', () => {
    const subject = withReplica().notice('i-1');
    expect(subject.effects).toMatchObject([
      {
        kind: 'commitCutOver',
        candidate: { instanceId: 'i-r' },
        fromInstanceId: 'i-1',
        fromIncarnation: 1,
        promotion: { replicaId: 'a1-r1', priority: 'emergency' },
      },
    ]);
    subject.committed();
    expect(subject.state).toMatchObject({ incarnation: 2, primary: { instanceId: 'i-r' } });
    expect(subject.effects).toMatchObject([
      { kind: 'signalReplica', workflowId: 'replica:a1-r1', signal: 'promoted' },
      { kind: 'startRetirement', input: { instanceId: 'i-1', reason: 'superseded' } },
      {
        kind: 'startReplica',
        input: { replicaId: 'a1-r2', primary: { instanceId: 'i-r' }, toIncarnation: 3 },
      },
    ]);
    expect(books(subject)).toEqual(['a1-r1 promoted', 'a1-r2 launching']);
    expect(subject.notice('i-1').effects).toEqual([]);
    expect(subject.register(facts('i-1'))).toMatchObject({ code: 'stand_down' });
  });

  it('starts a switch when the books refuse the replica', () => {
    const subject = withReplica()
      .notice('i-1')
      .committed({ committed: false, reason: 'its last report is old' });
    expect(subject.kinds()).toEqual(['startSwitch']);
    expect(subject.eventTypes).toEqual(['promotion_refused', 'switch_started']);
    expect(subject.state.primary?.instanceId).toBe('i-1');
  });

  it('starts a switch while the replica is not in sync, and the replica wins once it is', () => {
    const subject = running().replicaMode('manual').replica('i-r');
    expect(subject.notice('i-1').kinds()).toEqual(['startSwitch']);
    subject.report({ kind: 'replicaReady', replicaId: 'a1-r1', ready: true, message: 'in sync' });
    expect(subject.kinds()).toEqual(['commitCutOver']);
    subject.committed();
    expect(subject.effects).toMatchObject([
      { kind: 'signalReplica', signal: 'promoted' },
      { kind: 'signalSwitch', workflowId: 'switch:a1:1', signal: 'cancel' },
      { kind: 'startRetirement', input: { instanceId: 'i-1' } },
      { kind: 'startReplica' },
    ]);
  });

  it.each(['unhealthy', 'noticed', 'said goodbye'])('does not promote a replica that is %s', (how) => {
    const subject = withReplica();
    if (how === 'unhealthy') subject.beat('i-r', 5, 'unhealthy');
    if (how === 'noticed') subject.notice('i-r');
    if (how === 'said goodbye') subject.goodbye('i-r');
    expect(subject.notice('i-1').kinds()).toContain('startSwitch');
    expect(subject.kinds()).not.toContain('commitCutOver');
  });
});

it('a primary that EC2 calls gone without notice is replaced by its replica', () => {
  const subject = withReplica().lose('gone');
  const commit = subject.effects.find(({ kind }) => kind === 'commitCutOver');
  expect(commit).toMatchObject({ fromInstanceId: null, candidate: { instanceId: 'i-r' } });
  expect(subject.committed().state).toMatchObject({ status: 'online', primary: { instanceId: 'i-r' } });
});

it('a notice on the replica replaces it and leaves the primary alone', () => {
  const subject = withReplica().notice('i-r');
  expect(subject.kinds()).toEqual(['signalReplica', 'startReplica']);
  expect(phases(subject)).toEqual(['a1-r1 ending', 'a1-r2 launching']);
});

it('notices on primary and replica at once lose neither: the primary gets a switch', () => {
  const subject = withReplica().notice('i-r').notice('i-1');
  expect(subject.kinds()).toEqual(['startSwitch']);
});

it('a person promotes the replica that is ready, and none that is not', () => {
  const subject = running().replicaMode('manual').replica('i-r');
  expect(refusalOf(subject.state, 'promote')).toMatchObject({ type: 'NotNow' });
  subject.report({ kind: 'replicaReady', replicaId: 'a1-r1', ready: true, message: 'in sync' });
  expect(refusalOf(subject.state, 'promote', 'a1-r9')).toMatchObject({ type: 'NotNow' });
  expect(refusalOf(subject.state, 'promote')).toBeNull();
  subject.promote().committed();
  expect(subject.state).toMatchObject({ incarnation: 2, primary: { instanceId: 'i-r' } });
});

it('a switch leaves the replica there, to be in sync with the new primary; one in the same pool is replaced', () => {
  const other = withReplica('us-east-1c');
  other.requestSwitch();
  other.candidate('i-2').cutOver('i-2');
  expect(phases(other)).toEqual(['a1-r1 syncing']);
  const same = withReplica('us-east-1b');
  same.requestSwitch();
  same.candidate('i-2').cutOver('i-2');
  expect(phases(same)).toEqual(['a1-r1 ending', 'a1-r2 launching']);
});

it('a deleted agent has its replica ended and waits for that', () => {
  const subject = withReplica().delete();
  expect(subject.effects).toMatchObject([{ kind: 'signalReplica', signal: 'terminate' }]);
  subject.report({ kind: 'replicaEnded', replicaId: 'a1-r1', outcome: 'terminated', message: 'so' });
  expect(subject.effects).toMatchObject([{ kind: 'startRetirement', input: { instanceId: 'i-r' } }]);
});

it('a deletion while the books are asked for a promotion leaves the agent deleted', () => {
  const subject = withReplica().notice('i-1');
  const asked = subject.effects;
  subject.delete();
  subject.effects = asked;
  subject.committed();
  expect(subject.state).toMatchObject({ status: 'deleted', primary: null });
});

it('a hibernated agent keeps no replica', () => {
  const subject = withReplica().hibernate();
  expect(subject.kinds()).toEqual(['startHibernation', 'signalReplica']);
});

it('a shutdown may be a restart: the replica stays, and none is started', () => {
  expect(withReplica().goodbye().kinds()).toEqual([]);
  const without = running().goodbye();
  expect(without.replicaMode('manual').kinds()).toEqual([]);
});

it('one that fails is tried again after a pause that grows', () => {
  const subject = running().replicaMode('manual');
  const fail = (number: number) =>
    subject.report({
      kind: 'replicaEnded',
      replicaId: `a1-r${number}`,
      outcome: 'failed',
      message: 'no pool',
    });
  fail(1);
  expect(subject.eventTypes).toEqual(['replica_failed']);
  expect(nextDeadlineMs(subject.state)).toBe(subject.nowMs + 30_000);
  expect(subject.after(29).kinds()).toEqual([]);
  expect(subject.after(1).kinds()).toEqual(['startReplica']);
  fail(2);
  expect(nextDeadlineMs(subject.state)).toBe(subject.nowMs + 60_000);
});

it('a launch that was given up is retired, and its machine stands down when it registers late', () => {
  const subject = running().replicaMode('manual');
  const launch = { launchId: 'launch-i-x', switchNumber: null, replicaId: 'a1-r1' };
  const pool = { instanceType: 'p3.2xlarge', zone: 'us-east-1b', option: 'spot' as const };
  subject.report({
    kind: 'replicaLaunched',
    replicaId: 'a1-r1',
    launchId: 'launch-i-x',
    instanceId: 'i-x',
    pool,
  });
  subject.report({
    kind: 'replicaAbandoned',
    replicaId: 'a1-r1',
    launchId: 'launch-i-x',
    instanceId: 'i-x',
    message: 'no agent registered',
  });
  expect(subject.effects).toMatchObject([{ kind: 'startRetirement', input: { instanceId: 'i-x' } }]);
  expect(subject.register(facts('i-x'), launch)).toMatchObject({ code: 'stand_down' });
});

it('a workflow that was ended from outside counts as a failed replica', () => {
  const subject = withReplica();
  subject.after(24 * 3600);
  expect(subject.effects).toContainEqual({ kind: 'lookUpChild', workflowId: 'replica:a1-r1' });
  subject.on({ kind: 'childLookedUp', workflowId: 'replica:a1-r1', open: false, status: 'TERMINATED' });
  expect(subject.effects).toMatchObject([{ kind: 'startRetirement', input: { instanceId: 'i-r' } }]);
});

it('carries all of it as plain JSON', () => {
  const { state } = withReplica().notice('i-1');
  expect(JSON.parse(JSON.stringify(state))).toEqual(state);
});
