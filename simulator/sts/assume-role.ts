/**
 * AssumeRole. A role that isn't there, one that doesn't trust the caller and a wrong or missing external id are refused
 * with the same sentence: who asks isn't told which it was. Session policies and tags are taken and have no effect.
 */
import { randomUUID } from 'node:crypto';
import type { Role } from '../books/settings';
import { wholeSecond } from '../ec2/instance-xml';
import type { Caller } from '../services/callers';
import { assumedRole } from '../services/callers';
import { Constraints } from './constraints';
import { StsError } from './errors';
import type { StsAction } from './sts-service';

const LONGEST_CHAINED_SECONDS = 3600;
const USUAL_SECONDS = 3600;

export const assumeRole: StsAction = ({ cloud, sessions, caller, parameters }) => {
  const constraints = new Constraints(parameters);
  const roleArn = constraints.text('RoleArn', { min: 20, max: 2048, required: true });
  const sessionName = constraints.text('RoleSessionName', {
    min: 2,
    max: 64,
    pattern: '[\\w+=,.@-]*',
    required: true,
  });
  const externalId = constraints.text('ExternalId', { min: 2, max: 1224, pattern: '[\\w+=,.@:\\/-]*' });
  const asked = constraints.integer('DurationSeconds', { min: 900, max: 43_200 });
  constraints.check();
  if (!/^arn:aws:iam::\d{12}:role\/[\w+=,.@/-]{1,576}$/.test(roleArn)) {
    throw new StsError('ValidationError', `${roleArn} is invalid`);
  }
  const role = cloud.books.get('role', roleArn);
  if (!role || !trusts(role, caller) || (role.externalId !== null && role.externalId !== externalId)) {
    throw roleAccessDenied(caller, roleArn);
  }
  const duration = asked ?? Math.min(USUAL_SECONDS, role.maxSessionSeconds);
  if (caller.roleArn !== null && duration > LONGEST_CHAINED_SECONDS) {
    throw new StsError(
      'ValidationError',
      'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining',
    );
  }
  if (duration > role.maxSessionSeconds) {
    throw new StsError(
      'ValidationError',
      'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
    );
  }
  const now = cloud.clock.now();
  // The keys' life is counted in real seconds, as who holds them counts it.
  const expiresAt = now + duration * cloud.clock.speed;
  const session = { roleArn, sessionName, expiresAt };
  const { accessKeyId, secretAccessKey, sessionToken } = sessions.issue(session, randomUUID());
  const { arn, userId } = assumedRole(roleArn, sessionName);
  return {
    AssumedRoleUser: { AssumedRoleId: userId, Arn: arn },
    Credentials: {
      AccessKeyId: accessKeyId,
      SecretAccessKey: secretAccessKey,
      SessionToken: sessionToken,
      Expiration: wholeSecond(cloud.clock.wallAt(expiresAt)),
    },
  };
};

export function roleAccessDenied(caller: Caller, roleArn: string): StsError {
  return new StsError(
    'AccessDenied',
    `User: ${caller.arn} is not authorized to perform: sts:AssumeRole on resource: ${roleArn}`,
  );
}

function trusts({ trusted }: Role, { arn, accessKeyId, roleArn, accountId }: Caller): boolean {
  if (trusted === null) return true;
  const root = `arn:aws:iam::${accountId}:root`;
  return [arn, accessKeyId, roleArn, accountId, root].some((name) => name !== null && trusted.includes(name));
}
