/** The form of messages: what a reducer or the books would choke on is refused before it gets there. */
import {
  checkCandidateRegistered,
  checkChildReport,
  checkCutOverDecided,
  checkSwitchNotice,
  checkTerminationNotice,
} from '../../workflows/message-checks';

const RESTED = {
  kind: 'hibernationEnded',
  number: 1,
  method: 'image',
  imageId: null,
  snapshotIds: [],
  message: 'so',
};
const pool = { instanceType: 'p3.2xlarge', zone: 'us-east-1a', option: 'spot' };

it.each([
  [{ kind: 'poolRefused', switchNumber: 1, pool, message: 'none left' }],
  [{ kind: 'instanceLaunched', switchNumber: 1, launchId: 'l', instanceId: 'i-1', pool }],
  [{ kind: 'launchAbandoned', switchNumber: 1, launchId: 'l', instanceId: null, message: '' }],
  [{ kind: 'needsOperator', message: 'come', instanceId: null }],
  [{ kind: 'retirementEnded', instanceId: 'i-1', outcome: 'kept' }],
  [{ ...RESTED, outcome: 'done', imageId: 'ami-1' }],
  [{ ...RESTED, outcome: 'failed', unreachable: true }],
])('takes the report %j', (report) => {
  expect(checkChildReport(report)).toEqual({ ok: true, message: report });
});

it.each([
  [{ kind: 'poolRefused', switchNumber: 1 }],
  [{ kind: 'poolRefused', switchNumber: 1, pool: { zone: 'a' }, message: '' }],
  [{ kind: 'switchEnded', switchNumber: 1, outcome: 'fine', message: '' }],
  [{ kind: 'instanceLaunched', switchNumber: '1', launchId: 'l', instanceId: 'i-1', pool }],
  [{ ...RESTED, outcome: 'failed', unreachable: 'x' }],
  [{ kind: 'unheardOf' }],
  [undefined],
])('refuses the report %j', (report) => {
  expect(checkChildReport(report)).toMatchObject({ ok: false });
});

it.each(['i-\0', 'i-\ud800', ''])('refuses an instance id that the books can’t hold: %j', (instanceId) => {
  const notice = {
    instanceId,
    action: 'terminate',
    actionAt: '2026-03-01T12:00:00Z',
    receivedAt: '2026-03-01T12:00:00Z',
  };
  expect(checkTerminationNotice(notice)).toMatchObject({
    ok: false,
    reason: expect.stringContaining('instanceId'),
  });
});

it.each([checkCandidateRegistered, checkCutOverDecided, checkSwitchNotice])(
  'refuses a signal without content',
  (check) => {
    for (const input of [undefined, null, 'x', 1, [], {}]) expect(check(input)).toMatchObject({ ok: false });
  },
);
