/** Silence, idleness and what a person asks for: when an agent's machine is put to rest, and when it is left alone. */
import type { AgentPolicy } from '../../contracts/messages';
import { nextDeadlineMs } from '../../workflows/agent-deadlines';
import { refusalOf } from '../../workflows/agent-refusals';
import { type AgentState, initialState } from '../../workflows/agent-state';
import { viewOf } from '../../workflows/agent-view';
import { running, Subject, T0 } from '../harness/agent-subject';
import { instanceFacts as facts } from '../harness/instance-facts';

const DAYS = 24 * 3600;

function withPolicy(policy: Partial<AgentPolicy>, subject = running()): Subject {
  subject.state = { ...subject.state, policy: { ...subject.state.policy, ...policy } };
  return subject;
}

describe('silence', () => {
  /** Silent since 91 s; the last heartbeat was at `silentSinceMs`. */
  const silent = (subject = running()) => subject.lose('running');
  const until = (subject: Subject, seconds: number) => {
    const heardMs = subject.state.silentSinceMs ?? 0;
    return subject.on({ kind: 'clock' }, heardMs + seconds * 1000 - subject.nowMs);
  };

  it('alerts at 5 min, hibernates at 30 min, and not a second sooner', () => {
    const subject = until(silent(), 299);
    expect(subject.state.status).toBe('silent');
    expect(until(subject, 300).eventTypes).toEqual(['agent_orphaned']);
    expect(until(subject, 1_799).acts()).toEqual([]);
    expect(nextDeadlineMs(subject.state)).toBe((subject.state.silentSinceMs ?? 0) + 1_800_000);
    expect(until(subject, 1_800).effects.slice(-1)).toMatchObject([
      { kind: 'startHibernation', workflowId: 'hibernate:a1:1', input: { cause: 'silence', force: false } },
    ]);
    expect(subject.eventTypes).toEqual(['agent_silent_too_long', 'hibernation_started']);
  });

  it('of a machine of which EC2 says nothing, as of an account that no worker serves, makes an orphan as well', () => {
    const subject = running().lose('unknown');
    expect(until(subject, 299).state.status).toBe('silent');
    expect(until(subject, 300).eventTypes).toEqual(['agent_orphaned']);
  });

  it('tries again after a failure, and by force after two hours, with one alert each', () => {
    const subject = until(until(silent(), 300), 1_800).rested({ outcome: 'failed' });
    expect(subject.state.status).toBe('orphaned');
    expect(subject.after(299).acts()).toEqual([]);
    expect(subject.after(1).acts()).toEqual(['startHibernation']);
    expect(subject.eventTypes).toEqual([]);
    subject.rested({ outcome: 'held' });
    until(subject, 7_200);
    expect(subject.effects.slice(-1)).toMatchObject([{ kind: 'startHibernation', input: { force: true } }]);
    expect(subject.publication?.events).toMatchObject([
      { eventType: 'agent_force_stop', severity: 'critical' },
    ]);
    expect(subject.rested({ outcome: 'failed' }).after(300).acts()).toEqual(['startHibernation']);
  });

  it('that comes to nothing says why once for each reason', () => {
    const subject = until(until(silent(), 300), 1_800);
    expect(subject.rested({ outcome: 'held', message: 'a switch' }).eventTypes).toEqual([
      'hibernation_failed',
    ]);
    expect(subject.after(300).rested({ outcome: 'held', message: 'a switch' }).eventTypes).toEqual([]);
    expect(subject.after(300).rested({ outcome: 'failed', message: 'no' }).eventTypes).toEqual([
      'hibernation_failed',
    ]);
    expect(subject.after(300).acts()).toEqual(['startHibernation']);
  });

  describe('of a machine whose account no worker serves', () => {
    const no = 'No worker serves AWS account unknown.';
    /** As the hibernation's workflow reports it. */
    const unreached = (subject: Subject) => {
      const { instanceId } = subject.state.hibernation!;
      subject.on({ kind: 'childReport', message: { kind: 'needsOperator', message: no, instanceId } });
      const asked = subject.eventTypes;
      subject.rested({ outcome: 'failed', unreachable: true, message: no });
      return [...asked, ...subject.eventTypes];
    };
    /** Lets time pass until the next attempt, at most so long; returns how many seconds that took. */
    const nextAttempt = (subject: Subject, most: number) => {
      for (let seconds = 60; seconds <= most; seconds += 60) {
        if (subject.after(60).acts().includes('startHibernation')) return seconds;
      }
      return null;
    };

    it('is told once, and tried ever more seldom, up to an hour', () => {
      const subject = until(until(silent(), 300), 7_200);
      expect(unreached(subject)).toEqual(['needs_operator', 'hibernation_failed']);
      const pauses: (number | null)[] = [];
      for (let attempt = 0; attempt < 6; attempt += 1) {
        pauses.push(nextAttempt(subject, 4_000));
        expect(subject.eventTypes).toEqual([]);
        expect(unreached(subject)).toEqual([]);
      }
      expect(pauses).toEqual([300, 600, 1_200, 2_400, 3_600, 3_600]);
    });

    it('is tried as often as ever, and told anew, once a worker takes the steps', () => {
      const subject = until(until(silent(), 300), 7_200);
      for (let attempt = 0; attempt < 4; attempt += 1) {
        unreached(subject);
        nextAttempt(subject, 4_000);
      }
      subject.rested({ outcome: 'failed', message: 'EC2 refused' });
      expect(nextAttempt(subject, 4_000)).toBe(300);
      expect(unreached(subject)).toEqual(['needs_operator', 'hibernation_failed']);
    });

    it('ends in the deletion of its agent after seven days, with a record that nothing was saved', () => {
      const subject = until(until(silent(), 300), 7_200);
      while (subject.state.hibernation?.cause !== 'forgotten') {
        unreached(subject);
        expect(nextAttempt(subject, 8 * DAYS)).not.toBeNull();
      }
      expect(unreached(subject)).toEqual(['agent_deleted', 'instance_kept']);
      expect(subject.state).toMatchObject({ status: 'deleted', primary: null, retirements: [] });
      expect(subject.publication).toMatchObject({
        keptInstanceIds: ['i-1'],
        events: [
          {
            severity: 'warning',
            message: expect.stringMatching(
              /i-1 could not be reached since .*nothing of it was saved.*No worker serves/,
            ),
            details: { snapshot_ids: [], automatic: true, unreached: true },
          },
          {},
        ],
      });
    });

    it('waits for a worker that was there until lately', () => {
      const subject = until(until(silent(), 300), 1_800)
        .rested({ outcome: 'done', method: 'stop' })
        .after(7 * DAYS);
      expect(subject.state.hibernation?.cause).toBe('forgotten');
      unreached(subject);
      expect(subject.state.status).toBe('hibernated');
      expect(nextAttempt(subject, 8_000)).not.toBeNull();
      subject.rested({ outcome: 'done', method: 'snapshots', snapshotIds: ['snap-1'] });
      expect(subject.state.status).toBe('deleted');
    });
  });

  it('waits for a switch to end, also when the deadline of the forced stop comes meanwhile', () => {
    const subject = until(silent(), 300);
    subject.requestSwitch();
    expect(until(subject, 1_800).acts()).not.toContain('startHibernation');
    expect(until(subject, 7_200).acts()).not.toContain('startHibernation');
    const ended = {
      kind: 'switchEnded' as const,
      switchNumber: 1,
      outcome: 'failed' as const,
      message: 'no',
    };
    subject.on({ kind: 'childReport', message: ended });
    expect(subject.after(300).effects.slice(-1)).toMatchObject([{ input: { force: true } }]);
  });

  it('goes through all of its steps when time was skipped, and starts one hibernation', () => {
    const subject = silent().after(3 * 3_600);
    expect(subject.eventTypes).toEqual(['agent_orphaned', 'agent_force_stop', 'hibernation_started']);
    expect(subject.acts()).toEqual(['startHibernation']);
  });

  describe('of most of a client', () => {
    const held = () => until(running().lose('running', true), 300);
    const lookedInto = (subject: Subject, at = subject.nowMs) =>
      subject.on({ kind: 'massSilenceLookedInto', message: { at: new Date(at).toISOString() } }, 0);

    it('is one quiet alert, and stops and deletes nothing however long it lasts', () => {
      const subject = held();
      expect(subject.publication?.events).toMatchObject([{ eventType: 'agent_orphaned', severity: 'info' }]);
      expect(nextDeadlineMs(subject.state)).toBe(subject.state.askAgainAtMs);
      for (const seconds of [1_800, 7_200, 20 * DAYS]) {
        expect(until(subject, seconds).acts()).toEqual([]);
        expect(subject.eventTypes).toEqual([]);
      }
      expect(subject.state.status).toBe('orphaned');
    });

    it('counts from the moment at which a person has looked into it, with every step anew', () => {
      const subject = lookedInto(until(held(), 9_000));
      expect(subject.state.status).toBe('orphaned');
      const fromMs = subject.nowMs;
      expect(subject.after(1_799).acts()).toEqual([]);
      expect(subject.after(1).effects.slice(-1)).toMatchObject([
        { kind: 'startHibernation', input: { cause: 'silence', force: false } },
      ]);
      subject.rested({ outcome: 'failed' }).on({ kind: 'clock' }, fromMs + 7_200_000 - subject.nowMs);
      expect(subject.effects.slice(-1)).toMatchObject([{ input: { cause: 'silence', force: true } }]);
      subject.rested({ outcome: 'done', method: 'stop' });
      subject.on({ kind: 'clock' }, fromMs + 7 * DAYS * 1000 - 1_000 - subject.nowMs);
      expect(subject.acts()).toEqual([]);
      expect(subject.after(1).effects.slice(-1)).toMatchObject([{ input: { cause: 'forgotten' } }]);
    });

    it('that was looked into before EC2 had answered is a silence as any other', () => {
      const subject = running();
      const message = {
        instanceId: 'i-1',
        revision: 9,
        lastHeartbeatAt: new Date(subject.nowMs).toISOString(),
        massSilence: true,
      };
      subject.on({ kind: 'heartbeatLost', message }, 90_000);
      const atMs = lookedInto(subject).nowMs;
      const facts = subject.state.primary!;
      subject.on({ kind: 'instanceSighted', facts, sighting: 'running', message: '', askedRevision: 9 });
      expect(subject.state).toMatchObject({ silentSinceMs: atMs, silence: { mass: false } });
    });

    it('ends for an agent that is heard, whose next silence is its own', () => {
      const subject = held().beat('i-1', 9);
      expect(subject.state).toMatchObject({ status: 'online', silence: null });
      expect(until(until(silent(subject), 300), 1_800).acts()).toEqual(['startHibernation']);
    });

    it('takes in one that had fallen silent moments before', () => {
      const subject = silent();
      const lastHeartbeatAt = new Date(subject.nowMs).toISOString();
      const message = { instanceId: 'i-1', revision: 9, lastHeartbeatAt, massSilence: true };
      subject.on({ kind: 'heartbeatLost', message });
      until(subject, 300);
      expect(until(subject, 7_200).acts()).toEqual([]);
    });

    it('goes on after a keep-alive', () => {
      const subject = held().on({ kind: 'keepAlive', minutes: 60 }).after(3_600).after(DAYS);
      expect(subject.acts()).toEqual([]);
      expect(lookedInto(subject).after(1_800).acts()).toEqual(['startHibernation']);
    });

    it('changes nothing of a silence of its own', () => {
      const subject = until(silent(), 300);
      const before = subject.state;
      expect(lookedInto(subject).state).toEqual(before);
    });
  });

  it.each([
    ['off', 'hibernation_held'],
    ['report', 'hibernation_dry_run'],
  ] as const)('under the policy "%s" stops nothing and says so once', (silencePolicy, said) => {
    const subject = until(silent(withPolicy({ silencePolicy })), 300);
    expect(until(subject, 1_800).eventTypes).toEqual([said]);
    expect(until(subject, 20_000)).toMatchObject({ effects: [], publication: null });
    expect(subject.state.status).toBe('orphaned');
  });

  it('stops no protected agent, until the protection is lifted', () => {
    const subject = until(silent(running().protect()), 2_000);
    expect(subject.acts()).toEqual([]);
    expect(subject.state.status).toBe('orphaned');
    expect(subject.protect(false).after(1).acts()).toEqual(['startHibernation']);
  });

  it('is no ground any more when the agent is heard while it is being hibernated', () => {
    const subject = until(until(silent(), 300), 1_800).beat('i-1', 9);
    expect(subject.effects).toMatchObject([{ kind: 'cancelHibernation', workflowId: 'hibernate:a1:1' }]);
    expect(subject.state.status).toBe('hibernating');
    expect(subject.rested({ outcome: 'cancelled' }).state).toMatchObject({
      status: 'online',
      hibernation: null,
    });
  });

  it('counts from the end of a keep-alive, also of one that ended before it was noticed', () => {
    const subject = running().on({ kind: 'keepAlive', minutes: 1 });
    const heardMs = subject.nowMs;
    subject.lose('running');
    expect(subject.state.silentSinceMs).toBe(heardMs + 60_000);
    subject.on({ kind: 'keepAlive', minutes: 60 }).after(3_600);
    const endMs = subject.state.silentSinceMs ?? 0;
    expect(endMs).toBeGreaterThan(heardMs + 3_600_000);
    expect(subject.on({ kind: 'clock' }, endMs + 299_000 - subject.nowMs).state.status).toBe('silent');
    expect(subject.after(1).state.status).toBe('orphaned');
  });

  it('kept alive during its hibernation is not hibernated', () => {
    const subject = until(until(silent(), 300), 1_800).on({ kind: 'keepAlive', minutes: 60 });
    expect(subject.kinds()).toEqual(['cancelHibernation']);
    expect(subject.rested({ outcome: 'cancelled' }).state.status).toBe('silent');
    expect(subject.after(3_000).kinds()).not.toContain('startHibernation');
  });

  it('of a machine that EC2 turns out to have ended is a loss, recovered at once', () => {
    const subject = until(until(silent(), 300), 1_800).rested({ outcome: 'gone' });
    expect(subject.state).toMatchObject({ primary: null, hibernation: null, status: 'silent' });
    expect(subject.kinds()).toEqual(['startRetirement', 'startSwitch']);
  });

  describe('for seven days', () => {
    const orphaned = () => until(until(silent(), 300), 1_800).rested({ outcome: 'done', method: 'stop' });

    it('saves the volumes first and deletes the agent then', () => {
      const subject = orphaned();
      const orphanedAtMs = subject.state.silence?.orphanedAtMs ?? 0;
      expect(nextDeadlineMs(subject.state)).toBe(orphanedAtMs + 7 * DAYS * 1000);
      subject.on({ kind: 'clock' }, orphanedAtMs + 7 * DAYS * 1000 - subject.nowMs);
      expect(subject.effects).toMatchObject([{ kind: 'startHibernation', input: { cause: 'forgotten' } }]);
      subject.rested({ outcome: 'done', method: 'snapshots', snapshotIds: ['snap-1', 'snap-2'] });
      expect(subject.state).toMatchObject({ status: 'deleted', primary: null });
      expect(subject.effects).toMatchObject([
        { kind: 'startRetirement', input: { instanceId: 'i-1', reason: 'forgotten', waitSeconds: 0 } },
      ]);
      expect(subject.publication?.events).toMatchObject([
        { eventType: 'agent_deleted', details: { snapshot_ids: ['snap-1', 'snap-2'] } },
      ]);
    });

    it('is hibernated as before when the snapshots fail, and tried again an hour later', () => {
      const subject = orphaned()
        .after(7 * DAYS)
        .rested({ outcome: 'failed' });
      expect(subject.state).toMatchObject({
        status: 'hibernated',
        hibernation: { phase: 'hibernated', cause: 'silence', method: 'stop' },
      });
      expect(subject.after(3_000).effects).toEqual([]);
      expect(subject.after(3_000).kinds()).toEqual(['startHibernation']);
    });

    it('of a machine that became an image deletes the agent and keeps the image', () => {
      const subject = until(until(silent(), 300), 1_800)
        .rested({ outcome: 'done', method: 'image', imageId: 'ami-9' })
        .after(7 * DAYS);
      expect(subject.state.status).toBe('deleted');
      expect(subject.publication?.events[0]).toMatchObject({ details: { image_id: 'ami-9' } });
    });

    it.each([
      ['was shut down cleanly', () => running().goodbye()],
      ['was hibernated by a person', () => running().hibernate().rested({ outcome: 'done', method: 'stop' })],
      ['is protected', () => orphaned().protect()],
      ['is kept alive', () => orphaned().on({ kind: 'keepAlive', minutes: 60 * 24 * 30 })],
      ['has the policy not to', () => withPolicy({ deletePolicy: 'off' }, orphaned())],
    ])('deletes no agent that %s', (_, subject) => {
      const later = subject().after(8 * DAYS);
      expect(later.state.status).not.toBe('deleted');
      expect(later.kinds()).toEqual([]);
    });

    it('only reports when the policy says so', () => {
      const subject = withPolicy({ deletePolicy: 'report' }, orphaned()).after(7 * DAYS);
      expect(subject).toMatchObject({ effects: [], eventTypes: ['deletion_dry_run'] });
      expect(subject.after(7 * DAYS).publication).toBeNull();
    });
  });
});

describe('idleness', () => {
  /** Up for long enough, and idle for the warning window. */
  const idle = (policy: Partial<AgentPolicy> = {}) => {
    const subject = withPolicy(policy).after(3_600);
    return subject.idleBeat(subject.nowMs - 180_000);
  };

  it('warns with a countdown, and hibernates when it is over', () => {
    const subject = idle();
    expect(subject.eventTypes).toEqual(['hibernation_warning']);
    const dueMs = subject.nowMs + 120_000;
    expect(viewOf(subject.state).idleWarning?.dueAt).toBe(new Date(dueMs).toISOString());
    expect(subject.publication?.idleWarning?.dueAt).toBe(new Date(dueMs).toISOString());
    expect(nextDeadlineMs(subject.state)).toBe(dueMs);
    expect(subject.after(119).effects).toEqual([]);
    expect(subject.after(1).effects).toMatchObject([{ kind: 'startHibernation', input: { cause: 'idle' } }]);
    expect(subject.state.status).toBe('hibernating');
  });

  it('leaves two minutes after the warning, however late that came', () => {
    const subject = running().after(3_600);
    subject.idleBeat(subject.nowMs - 3_000_000);
    expect(subject.eventTypes).toEqual(['hibernation_warning']);
    expect(subject.after(119).effects).toEqual([]);
    expect(subject.after(1).kinds()).toEqual(['startHibernation']);
  });

  it('is over with the first busy sample, before and during the hibernation', () => {
    const subject = idle().idleBeat(null);
    expect(subject.eventTypes).toEqual(['hibernation_warning_lifted']);
    expect(subject.after(600)).toMatchObject({ effects: [], publication: null });
    const late = idle().after(120).idleBeat(null);
    expect(late.kinds()).toEqual(['cancelHibernation']);
    expect(late.rested({ outcome: 'cancelled' }).state).toMatchObject({ status: 'online', idleness: null });
  });

  it('of a young machine waits for the minimum uptime', () => {
    const subject = running();
    const startMs = subject.state.primarySinceMs ?? 0;
    subject.idleBeat(startMs, 200_000);
    expect(subject.eventTypes).toEqual([]);
    expect(nextDeadlineMs(subject.state)).toBe(startMs + 480_000);
    subject.on({ kind: 'clock' }, startMs + 480_000 - subject.nowMs);
    expect(subject.eventTypes).toEqual(['hibernation_warning']);
    expect(nextDeadlineMs(subject.state)).toBe(startMs + 600_000);
  });

  it.each([
    ['kept alive', (subject: Subject) => subject.on({ kind: 'keepAlive', minutes: 60 })],
    ['protected', (subject: Subject) => subject.protect()],
    ['in a switch', (subject: Subject) => (subject.requestSwitch(), subject)],
    ['silent', (subject: Subject) => subject.lose('running')],
  ])('of an agent that is %s hibernates nothing', (_, change) => {
    expect(change(idle()).after(200).kinds()).not.toContain('startHibernation');
  });

  it('after a keep-alive counts from its end, with a warning of its own', () => {
    const subject = idle().on({ kind: 'keepAlive', minutes: 10 });
    expect(subject.publication?.idleWarning).toBeNull();
    subject.after(600);
    expect(subject.after(179).eventTypes).toEqual([]);
    expect(subject.after(1).eventTypes).toEqual(['hibernation_warning']);
  });

  it('is reported only, once, when the policy says so', () => {
    const subject = idle({ idlePolicy: 'report' });
    expect(subject).toMatchObject({ effects: [], eventTypes: ['hibernation_dry_run'] });
    expect(subject.after(3_000)).toMatchObject({ effects: [], publication: null });
  });

  it('that came to nothing is tried again later', () => {
    const subject = idle().after(120).rested({ outcome: 'held' });
    expect(subject.state.status).toBe('online');
    expect(subject.after(299).effects).toEqual([]);
    expect(subject.after(1).kinds()).toEqual(['startHibernation']);
  });
});

describe('a machine at rest', () => {
  const stopped = () => running().hibernate().rested({ outcome: 'done', method: 'hibernate' });
  const imaged = () => running().hibernate().rested({ outcome: 'done', method: 'image', imageId: 'ami-9' });

  it('that was stopped stays the primary, and is started by resume', () => {
    const subject = stopped();
    expect(subject.state).toMatchObject({ status: 'hibernated', primary: { instanceId: 'i-1' } });
    expect(nextDeadlineMs(subject.state)).toBeNull();
    expect(subject.resume().effects).toMatchObject([
      { kind: 'startResumption', workflowId: 'resume:a1:2', input: { instance: { instanceId: 'i-1' } } },
    ]);
    expect(subject.resumed('started').beat('i-1', 9).state).toMatchObject({
      status: 'online',
      incarnation: 1,
      hibernation: null,
    });
  });

  it('that was imaged is retired at once, and resumed by a launch from its image', () => {
    const subject = imaged();
    expect(subject.state).toMatchObject({ status: 'hibernated', primary: null });
    expect(subject.effects).toMatchObject([
      { kind: 'startRetirement', input: { instanceId: 'i-1', reason: 'hibernated', waitSeconds: 0 } },
    ]);
    expect(subject.resume().effects).toMatchObject([{ kind: 'startSwitch', input: { imageId: 'ami-9' } }]);
    subject.candidate('i-2').cutOver('i-2');
    expect(subject.state).toMatchObject({ status: 'online', incarnation: 2, hibernation: null });
  });

  it('is launched from its image again when the first try to resume it fails', () => {
    const subject = imaged()
      .resume()
      .on({
        kind: 'childReport',
        message: { kind: 'switchEnded', switchNumber: 1, outcome: 'failed', message: 'no' },
      })
      .after(30);
    expect(subject.effects).toMatchObject([{ kind: 'startSwitch', input: { imageId: 'ami-9' } }]);
  });

  it('is not woken by a heartbeat that was sent before it stopped', () => {
    const subject = running().hibernate();
    const sentMs = subject.nowMs;
    subject.rested({ outcome: 'done', method: 'stop' });
    const message = {
      instanceId: 'i-1',
      revision: 9,
      health: 'healthy' as const,
      mode: null,
      zone: null,
      receivedAt: new Date(sentMs).toISOString(),
    };
    expect(subject.on({ kind: 'heartbeat', message }).state.status).toBe('hibernated');
  });

  it('says goodbye without going offline, and a goodbye counts if it was not put to rest after all', () => {
    expect(running().hibernate().goodbye().rested({ outcome: 'done', method: 'stop' }).state.status).toBe(
      'hibernated',
    );
    expect(running().hibernate().goodbye().rested({ outcome: 'failed' }).state.status).toBe('offline');
  });

  it('that said goodbye as it was stopped, and is never heard after its start, is silent and stopped again', () => {
    const subject = running().hibernate().goodbye().rested({ outcome: 'done', method: 'stop' });
    subject.resume().resumed('started').after(300).after(1_500);
    expect(subject.acts()).toEqual(['startHibernation']);
    expect(subject.rested({ outcome: 'cancelled' }).state.status).toBe('orphaned');
    expect(subject.after(300).acts()).toEqual(['startHibernation']);
  });

  it('needs no successor when EC2 gives notice, but one that is not at rest after all does', () => {
    expect(stopped().notice('i-1').kinds()).toEqual([]);
    const subject = running().hibernate().notice('i-1');
    expect(subject.kinds()).toEqual([]);
    expect(subject.rested({ outcome: 'failed' }).kinds()).toEqual(['startSwitch']);
  });

  it('that could not be started stays hibernated, with a critical alert', () => {
    const subject = stopped().resume().resumed('failed');
    expect(subject.state).toMatchObject({ status: 'hibernated', hibernation: { phase: 'hibernated' } });
    expect(subject.publication?.events).toMatchObject([
      { eventType: 'resumption_failed', severity: 'critical' },
    ]);
  });

  it('whose workflow ended without a report is asked after, and the rest is given up', () => {
    const subject = running()
      .hibernate()
      .after(3 * 3_600);
    expect(subject.effects).toEqual([{ kind: 'lookUpChild', workflowId: 'hibernate:a1:1' }]);
    subject.on({ kind: 'childLookedUp', workflowId: 'hibernate:a1:1', open: false, status: 'TERMINATED' });
    expect(subject.state).toMatchObject({ status: 'online', hibernation: null });
  });
});

describe('deletion', () => {
  it('keeps the machine unless its end is asked for, and tells it to stand down', () => {
    const subject = running().delete();
    expect(subject.state).toMatchObject({ status: 'deleted', primary: null });
    expect(subject.publication).toMatchObject({
      status: 'deleted',
      keptInstanceIds: ['i-1'],
      standings: [{ instanceId: 'i-1', role: 'superseded' }],
    });
    expect(subject.effects).toEqual([]);
  });

  it('retires the machine when asked, after the wait, in which a new registration saves it', () => {
    const subject = running().delete('retire');
    expect(subject.effects).toMatchObject([
      { kind: 'startRetirement', input: { instanceId: 'i-1', reason: 'deleted', waitSeconds: 300 } },
    ]);
    expect(subject.publication?.keptInstanceIds).toEqual([]);
  });

  it('cancels a switch, retires what that launched, and refuses its cut-over', () => {
    const subject = running();
    subject.requestSwitch();
    subject.candidate('i-2').delete();
    expect(subject.effects).toMatchObject([{ kind: 'signalSwitch', signal: 'cancel' }]);
    subject.on({
      kind: 'childReport',
      message: { kind: 'cutOverRequested', switchNumber: 1, instanceId: 'i-2' },
    });
    expect(subject.effects).toMatchObject([{ payload: { committed: false } }]);
    subject.on({
      kind: 'childReport',
      message: { kind: 'switchEnded', switchNumber: 1, outcome: 'cancelled', message: 'deleted' },
    });
    expect(subject.kinds()).toEqual(['startRetirement']);
    expect(subject.state).toMatchObject({ status: 'deleted', activeSwitch: null, recoverAtMs: null });
  });

  it('lets a new registration wait until it is in the books', () => {
    expect(running().delete().register(facts('i-1'))).toMatchObject({ result: 'wait' });
  });

  it('asked for twice has the effect of one', () => {
    const subject = running().delete('retire');
    expect(subject.delete('retire')).toMatchObject({ effects: [], publication: null });
  });
});

describe('what is refused', () => {
  it.each([
    ['hibernate', running().hibernate(), 'NotNow'],
    ['hibernate', new Subject(), 'NoPrimary'],
    ['resume', running(), 'NotNow'],
    ['resume', running().hibernate(), 'NotNow'],
    ['switch', running().hibernate().rested({ outcome: 'done', method: 'stop' }), 'NotNow'],
    ['switch', running().goodbye(), 'NoPrimary'],
    ['protect', running().delete(), 'NotNow'],
  ] as const)('%s', (wish, subject, type) => {
    expect(refusalOf(subject.state, wish)).toMatchObject({ type });
  });

  it('is nothing that can be done', () => {
    expect(refusalOf(running().state, 'hibernate')).toBeNull();
    expect(
      refusalOf(running().hibernate().rested({ outcome: 'done', method: 'stop' }).state, 'resume'),
    ).toBeNull();
  });
});

test('all of the state is plain JSON', () => {
  const states: AgentState[] = [
    running().lose('running').after(3_600).state,
    running().hibernate().rested({ outcome: 'done', method: 'image', imageId: 'ami-9' }).resume().state,
    initialState({ clientId: 'c', agentId: 'a', logicalAgentId: 'l' }, running().state.policy),
  ];
  for (const state of states) expect(JSON.parse(JSON.stringify(state))).toEqual(state);
  expect(states[0]?.silentSinceMs).toBeGreaterThan(T0);
});

describe('what happens while a machine is being put to rest', () => {
  /** Idle, and its hibernation has begun. */
  const idleAtRest = () => {
    const subject = running().after(3_600);
    subject.idleBeat(subject.nowMs - 180_000).after(120);
    expect(subject.state.hibernation).toMatchObject({ cause: 'idle', phase: 'hibernating' });
    return subject;
  };
  const lose = (subject: Subject) =>
    subject.on({
      kind: 'heartbeatLost',
      message: { instanceId: 'i-1', revision: 40, lastHeartbeatAt: new Date(subject.nowMs).toISOString() },
    });

  it('a loss that was said meanwhile is looked into when the rest comes to nothing', () => {
    const subject = lose(running().hibernate()).rested({ outcome: 'failed' });
    expect(subject.state.status).toBe('online');
    expect(subject.kinds()).toContain('lookUpInstance');
    subject.on({
      kind: 'instanceSighted',
      facts: facts('i-1'),
      sighting: 'gone',
      message: 'terminated',
      askedRevision: 40,
    });
    expect(subject.kinds()).toContain('startSwitch');
  });

  it('and not when it was heard since', () => {
    const subject = lose(running().hibernate()).beat('i-1', 41).rested({ outcome: 'failed' });
    expect(subject.kinds()).toEqual([]);
    expect(subject.state).toMatchObject({ status: 'online', silence: null });
  });

  it('a restart of the agent process takes its goodbye back', () => {
    const subject = running().hibernate().goodbye().beat('i-1', 50).rested({ outcome: 'failed' });
    expect(subject.state).toMatchObject({ status: 'online', goodbyeHeld: false });
  });

  it('a silent agent that a person hibernates and that is heard meanwhile is well if nothing comes of it', () => {
    const subject = running().lose('running').hibernate().beat('i-1', 60).rested({ outcome: 'held' });
    expect(subject.state).toMatchObject({ status: 'online', silence: null, silentSinceMs: null });
  });

  it.each(['image', 'snapshots'] as const)(
    '%s that are ready after it was cancelled end no machine',
    (method) => {
      const subject = idleAtRest().idleBeat(null);
      expect(subject.kinds()).toEqual(['cancelHibernation']);
      const saved = method === 'image' ? { imageId: 'ami-9' } : { snapshotIds: ['snap-9'] };
      subject.rested({ outcome: 'done', method, ...saved });
      expect(subject.acts()).toEqual([]);
      expect(subject.eventTypes).toEqual(['hibernation_cancelled']);
      expect(subject.state).toMatchObject({
        status: 'online',
        primary: { instanceId: 'i-1' },
        hibernation: null,
      });
    },
  );

  it('a stop that EC2 had taken when it was cancelled is a stop', () => {
    const subject = idleAtRest().idleBeat(null).rested({ outcome: 'done', method: 'stop' });
    expect(subject.state.status).toBe('hibernated');
  });

  it('a notice cancels what policy began, and the agent moves as soon as that has ended', () => {
    const subject = idleAtRest().notice('i-1');
    expect(subject.kinds()).toEqual(['cancelHibernation']);
    expect(subject.rested({ outcome: 'cancelled' }).kinds()).toContain('startSwitch');
  });

  it('a recovery that was due does not start beside it', () => {
    const subject = running().notice('i-1');
    subject.report({ kind: 'switchEnded', switchNumber: 1, outcome: 'failed', message: 'no capacity' });
    expect(subject.state.recoverAtMs).not.toBeNull();
    expect(subject.hibernate().after(3_600).kinds()).not.toContain('startSwitch');
    expect(subject.rested({ outcome: 'failed' }).kinds()).toContain('startSwitch');
  });
});

describe('a machine that EC2 had ended before it was put to rest', () => {
  it('is not replaced for an agent that was forgotten: it is deleted', () => {
    const subject = running()
      .lose('running')
      .after(300)
      .after(1_800)
      .rested({ outcome: 'done', method: 'stop' })
      .after(8 * DAYS);
    expect(subject.state.hibernation).toMatchObject({ cause: 'forgotten' });
    subject.rested({ outcome: 'gone' });
    expect(subject.state).toMatchObject({ status: 'deleted', primary: null });
    expect(subject.effects).toMatchObject([{ kind: 'startRetirement', input: { reason: 'forgotten' } }]);
  });

  it('is not replaced for a person who wanted it at rest, and a resumption launches another', () => {
    const subject = running().hibernate().rested({ outcome: 'gone' });
    expect(subject.state).toMatchObject({ status: 'hibernated', primary: null });
    expect(subject.acts()).toEqual(['startRetirement']);
    expect(subject.resume().effects).toMatchObject([{ kind: 'startSwitch', input: { imageId: null } }]);
  });
});

it('a resumed machine has its minimum uptime again', () => {
  const subject = running().after(3_600).hibernate().rested({ outcome: 'done', method: 'stop' });
  subject.after(3_600).resume().resumed('started').beat('i-1', 70);
  subject.idleBeat(subject.nowMs - 400_000);
  expect(subject.after(60).kinds()).toEqual([]);
  expect(subject.after(600).eventTypes).toEqual(['hibernation_warning']);
  expect(subject.after(120).effects).toMatchObject([{ kind: 'startHibernation', input: { cause: 'idle' } }]);
});

it('a resumption waits for a switch that runs', () => {
  const subject = running()
    .hibernate()
    .rested({ outcome: 'done', method: 'image', imageId: 'ami-9' })
    .resume();
  expect(refusalOf(subject.state, 'resume')).toMatchObject({ type: 'SwitchRunning' });
});
