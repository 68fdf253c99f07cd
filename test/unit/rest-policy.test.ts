/** Whether a machine may be put to rest, and how: unknown, missing and doubtful always say no. */
import { type Grounds, judgeCause, type Machine, planRest } from '../../policy/rest';

const grounds = (over: Partial<Grounds> = {}): Grounds => ({
  protected: false,
  keptAlive: false,
  intakeAlive: true,
  intakeSeconds: 90,
  othersHeard: true,
  silentSeconds: 2_000,
  saidGoodbye: false,
  massSilence: false,
  heartbeatIntervalSeconds: 30,
  ...over,
});
const idle = { samples: 11, notIdle: 0, longestGapSeconds: 31 };

describe('silence', () => {
  it('that goes on is a ground', () => {
    expect(judgeCause('silence', 1_800, grounds(), null).still).toBe(true);
  });

  it.each([
    ['it was heard since', { silentSeconds: 10 }],
    ['nothing was ever heard', { silentSeconds: null }],
    ['no intake is alive, so it is ours', { intakeAlive: false }],
    ['the intake is back for less than a lease', { intakeSeconds: 89 }],
    ['none of the others is heard either', { othersHeard: false }],
    ['it is protected', { protected: true }],
    ['it is kept alive', { keptAlive: true }],
    ['it said goodbye', { saidGoodbye: true }],
    ['most of its client fell silent with it', { massSilence: true }],
  ])('is none when %s', (_, over) => {
    expect(judgeCause('silence', 1_800, grounds(over), null).still).toBe(false);
    expect(judgeCause('forgotten', 1_800, grounds(over), null).still).toBe(false);
  });

  it('is none for a machine that is not the primary in the books', () => {
    expect(judgeCause('silence', 1_800, null, null).still).toBe(false);
    expect(judgeCause('person', 0, null, null).still).toBe(false);
  });
});

describe('idleness', () => {
  it('in every sample of the window is a ground', () => {
    expect(judgeCause('idle', 300, grounds({ silentSeconds: 3 }), idle).still).toBe(true);
  });

  it.each([
    ['one sample is busy or unknown', { ...idle, notIdle: 1 }],
    ['two beats are missing in a row', { ...idle, longestGapSeconds: 61 }],
    ['there are no samples', { samples: 0, notIdle: 0, longestGapSeconds: 300 }],
    ['samples could not be read', null],
  ])('is none when %s', (_, samples) => {
    expect(judgeCause('idle', 300, grounds({ silentSeconds: 3 }), samples).still).toBe(false);
  });
});

test('a person needs no other ground', () => {
  expect(judgeCause('person', 0, grounds({ silentSeconds: 1, protected: true }), null).still).toBe(true);
});

describe('the way', () => {
  const machine = (over: Partial<Machine> = {}): Machine => ({
    option: 'ondemand',
    requestType: null,
    hibernationConfigured: true,
    hibernationSupported: true,
    accelerated: false,
    instanceStore: false,
    volumes: 1,
    ...over,
  });

  it.each([
    ['hibernates what can', machine(), 'hibernate'],
    ['stops what was not launched for it', machine({ hibernationConfigured: false }), 'stop'],
    ['stops a type that cannot', machine({ hibernationSupported: false }), 'stop'],
    ['stops an accelerated type, whatever it claims', machine({ accelerated: true }), 'stop'],
    ['makes an image of one-time spot', machine({ option: 'spot', requestType: 'one-time' }), 'image'],
    ['makes an image of spot whose request is unknown', machine({ option: 'spot' }), 'image'],
    ['hibernates persistent spot', machine({ option: 'spot', requestType: 'persistent' }), 'hibernate'],
  ] as const)('%s', (_, of, method) => {
    expect(planRest(of, 'idle', true).method).toBe(method);
  });

  it('ends nothing while auto-terminate is off', () => {
    expect(planRest(machine({ option: 'spot' }), 'idle', false).method).toBeNull();
    expect(planRest(machine(), 'forgotten', false).method).toBeNull();
    expect(planRest(machine(), 'idle', false).method).toBe('hibernate');
  });

  it('saves the volumes of a forgotten machine, and ends none that has nothing to save', () => {
    expect(planRest(machine({ volumes: 2 }), 'forgotten', true).method).toBe('snapshots');
    expect(planRest(machine({ volumes: 0 }), 'forgotten', true).method).toBeNull();
  });

  it('says what is lost', () => {
    expect(
      planRest(machine({ instanceStore: null, hibernationConfigured: false }), 'idle', true).message,
    ).toMatch(/memory is lost.*instance store/);
  });
});
