import { classifyAwsError } from '../../cloud/aws-errors';

/** As the SDK throws it. */
function sdkError(name: string, status: number, message = `about ${name}`): Error {
  return Object.assign(new Error(message), { name, Code: name, $metadata: { httpStatusCode: status } });
}

const call = (action: string, object = 'of a test') => ({ service: 'ec2' as const, action, object });

describe('a code means what comes next', () => {
  it.each([
    ['InsufficientInstanceCapacity', 500, 'no_capacity'],
    ['InsufficientCapacityOnHost', 400, 'no_capacity'],
    ['InsufficientFreeAddressesInSubnet', 400, 'no_capacity'],
    ['MaxSpotInstanceCountExceeded', 400, 'no_capacity'],
    ['VcpuLimitExceeded', 400, 'no_capacity'],
    ['SpotMaxPriceTooLow', 400, 'no_capacity'],
    ['UnfulfillableCapacity', 500, 'no_capacity'],
    ['Unsupported', 400, 'no_capacity'],
    ['IdempotentInstanceTerminated', 400, 'no_capacity'],
    ['RequestLimitExceeded', 503, 'throttled'],
    ['Throttling', 400, 'throttled'],
    ['SnapshotCreationPerVolumeRateExceeded', 400, 'throttled'],
    ['SomethingNewWithTooMany', 429, 'throttled'],
    ['UnauthorizedOperation', 403, 'not_permitted'],
    ['AuthFailure', 401, 'not_permitted'],
    ['OperationNotPermitted', 400, 'not_permitted'],
    ['VolumeLimitExceeded', 400, 'not_permitted'],
    ['ExpiredToken', 403, 'not_permitted'],
    ['IncorrectInstanceState', 400, 'wrong_state'],
    ['InvalidSnapshot.InUse', 400, 'wrong_state'],
    ['InvalidParameterValue', 400, 'never'],
    ['IdempotentParameterMismatch', 400, 'never'],
    ['UnsupportedOperation', 400, 'never'],
    ['InternalError', 500, 'retry'],
    ['Unavailable', 503, 'retry'],
    ['SomethingNewOfTheServers', 502, 'retry'],
    ['SomethingNewOfOurs', 400, 'never'],
  ])('%s (%i): %s', (code, status, kind) => {
    expect(classifyAwsError(sdkError(code, status), call('RunInstances'))).toMatchObject({ kind, code });
  });

  it.each([
    ['TerminateInstances', 'InvalidInstanceID.NotFound', 'already_done'],
    ['DescribeInstances', 'InvalidInstanceID.NotFound', 'already_done'],
    ['DeregisterImage', 'InvalidAMIID.Unavailable', 'already_done'],
    ['DetachVolume', 'InvalidAttachment.NotFound', 'already_done'],
    // What a launch or an attachment is given has to be there.
    ['RunInstances', 'InvalidAMIID.NotFound', 'never'],
    ['AttachVolume', 'InvalidVolume.NotFound', 'never'],
    ['CreateImage', 'InvalidInstanceID.NotFound', 'never'],
  ])('to %s, %s: %s', (action, code, kind) => {
    expect(classifyAwsError(sdkError(code, 400), call(action)).kind).toBe(kind);
  });

  it('knows each code once', async () => {
    const { readFile } = await import('node:fs/promises');
    const source = await readFile(require.resolve('../../cloud/aws-error-codes.ts'), 'utf8');
    const table = source.slice(source.indexOf('const CODES'), source.indexOf('const KIND_OF_CODE'));
    const codes = [...table.matchAll(/^ {4}'([\w.]+)',$/gm)].map(([, code]) => code);
    expect(codes.length).toBeGreaterThan(120);
    expect(codes.filter((code, index) => codes.indexOf(code) !== index)).toEqual([]);
  });
});

describe('a failed call may have taken effect', () => {
  const ambiguous = (error: unknown) => classifyAwsError(error, call('RunInstances')).ambiguous;

  it.each([
    ['a 5xx', sdkError('InternalError', 500)],
    ['an unknown 5xx', sdkError('BadGateway', 502)],
    ['a time-out', Object.assign(new Error('timed out'), { name: 'TimeoutError' })],
    ['a cut connection', Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' })],
    ['an answer that is no XML', new Error('char 0 is not expected')],
  ])('after %s', (_, error) => {
    expect(classifyAwsError(error, call('RunInstances'))).toMatchObject({ kind: 'retry', ambiguous: true });
  });

  it('but not when it is a look', () => {
    const looked = classifyAwsError(sdkError('InternalError', 500), call('DescribeInstances'));
    expect(looked).toMatchObject({ kind: 'retry', ambiguous: false });
    expect(looked.message).not.toMatch(/effect/);
  });

  it('but not when EC2 said what is the matter, or nothing was sent', () => {
    expect(ambiguous(sdkError('InsufficientInstanceCapacity', 500))).toBe(false);
    expect(ambiguous(sdkError('RequestLimitExceeded', 503))).toBe(false);
    expect(ambiguous(sdkError('UnauthorizedOperation', 403))).toBe(false);
    expect(ambiguous(Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }))).toBe(false);
    const everyAddress = new AggregateError([Object.assign(new Error(), { code: 'ECONNREFUSED' })]);
    expect(classifyAwsError(everyAddress, call('RunInstances'))).toMatchObject({
      kind: 'retry',
      code: 'ECONNREFUSED',
      ambiguous: false,
    });
  });
});

describe('the sentence', () => {
  const sentence = (error: unknown, action: string, object: string) =>
    classifyAwsError(error, call(action, object)).message;

  it('names action, object, code, reason and the missing permission', () => {
    const refused = sdkError(
      'UnauthorizedOperation',
      403,
      'You are not authorized to perform this operation.',
    );
    expect(sentence(refused, 'TerminateInstances', 'of i-1')).toBe(
      'EC2 refused TerminateInstances of i-1: UnauthorizedOperation: You are not authorized to perform this operation. Allow ec2:TerminateInstances in the IAM policy of the credentials in use.',
    );
  });

  it('names the permission that AWS names, and leaves out what nobody can read', () => {
    const refused = sdkError(
      'UnauthorizedOperation',
      403,
      'You are not authorized to perform this operation. User: arn:aws:iam::000000000000:user/x is not authorized to perform: ec2:CreateTags on resource: y. Encoded authorization failure message: abcdef',
    );
    const said = sentence(refused, 'RunInstances', 'for spot p3.2xlarge in us-east-1a');
    expect(said).toMatch(/Allow ec2:CreateTags in the IAM policy/);
    expect(said).not.toContain('abcdef');
  });

  it('says when a call may have had an effect, and what helps against a limit', () => {
    expect(sentence(sdkError('InternalError', 500), 'RunInstances', 'x')).toMatch(/may have taken effect/);
    expect(sentence(sdkError('VcpuLimitExceeded', 400), 'RunInstances', 'x')).toMatch(/Service Quotas/);
  });

  it('is the same error when it is one of ours already', () => {
    const ours = classifyAwsError(sdkError('InternalError', 500), call('RunInstances'));
    expect(classifyAwsError(ours, call('RunInstances'))).toBe(ours);
  });
});
