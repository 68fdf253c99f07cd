import { classifyAwsError } from '../../cloud/aws-errors';

/** As the SDK throws it. */
function sdkError(name: string, status: number): Error {
  return Object.assign(new Error(`about ${name}`), {
    name,
    Code: name,
    $metadata: { httpStatusCode: status },
  });
}

it.each([
  ['InsufficientInstanceCapacity', 500, 'no_capacity'],
  ['MaxSpotInstanceCountExceeded', 400, 'no_capacity'],
  ['Unsupported', 400, 'no_capacity'],
  ['IdempotentInstanceTerminated', 400, 'no_capacity'],
  ['RequestLimitExceeded', 503, 'throttled'],
  ['UnauthorizedOperation', 403, 'not_permitted'],
  ['InvalidInstanceID.NotFound', 400, 'already_done'],
  ['InvalidParameterValue', 400, 'never'],
  ['IdempotentParameterMismatch', 400, 'never'],
  ['InternalError', 500, 'retry'],
  ['SomethingNewOfTheServers', 502, 'retry'],
  ['SomethingNewOfOurs', 400, 'never'],
])('%s (%i) means %s', (code, status, kind) => {
  expect(classifyAwsError(sdkError(code, status), 'a test')).toMatchObject({ kind, code });
});

it('takes a broken connection for something that may pass', () => {
  const error = Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
  expect(classifyAwsError(error, 'a test')).toMatchObject({ kind: 'retry', code: 'ECONNRESET' });
});

it('says what was being done, the code and the reason', () => {
  const { message } = classifyAwsError(sdkError('UnauthorizedOperation', 403), 'TerminateInstances of i-1');
  expect(message).toBe(
    'EC2 refused TerminateInstances of i-1: UnauthorizedOperation: about UnauthorizedOperation',
  );
});
