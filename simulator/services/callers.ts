/**
 * Who calls: any plain access key is a user of the account, keys with a session token are the role's that STS (or the
 * metadata service) gave them for. Keys that begin with ASIA are temporary and worth nothing without their token.
 */
import { createHash } from 'node:crypto';
import type { Role } from '../books/settings';
import type { SessionCredentials } from '../sts/session-credentials';
import { readScope, readSessionToken } from './credential-scope';
import type { CallerProblem, RawRequest, Service } from './service';

export interface Caller {
  readonly accessKeyId: string;
  readonly region: string;
  readonly accountId: string;
  readonly arn: string;
  readonly userId: string;
  /** Of temporary keys. */
  readonly roleArn: string | null;
}

export interface CallerSettings {
  readonly accountId: string;
  readonly sessions: SessionCredentials;
  readonly now: () => number;
}

export function readCaller(
  request: RawRequest,
  service: Pick<Service, 'name' | 'regions'>,
  { accountId, sessions, now }: CallerSettings,
): Caller | CallerProblem {
  const scope = readScope(request);
  if (scope === null) return { kind: 'unsigned' };
  if (scope === 'malformed') return { kind: 'malformed' };
  const { accessKeyId, region } = scope;
  if (scope.service !== service.name) return { kind: 'wrong-service', got: scope.service };
  if (service.regions !== null && !service.regions.includes(region))
    return { kind: 'wrong-region', got: region };
  const token = readSessionToken(request);
  if (token === null) {
    if (accessKeyId.startsWith('ASIA')) return { kind: 'unknown-token' };
    return { accessKeyId, region, accountId, roleArn: null, ...user(accountId, accessKeyId) };
  }
  const session = sessions.read(token);
  if (session === null || session.accessKeyId !== accessKeyId) return { kind: 'unknown-token' };
  if (session.expiresAt <= now()) return { kind: 'expired-token' };
  return {
    accessKeyId,
    region,
    accountId: accountOf(session.roleArn),
    roleArn: session.roleArn,
    ...assumedRole(session.roleArn, session.sessionName),
  };
}

/** How IAM and STS name a user. */
function user(accountId: string, accessKeyId: string) {
  const name = accessKeyId.replace(/[^\w+=,.@-]/g, '-').slice(0, 64);
  return { arn: `arn:aws:iam::${accountId}:user/${name}`, userId: uniqueId('AIDA', accessKeyId) };
}

/** How STS names a session of a role. */
export function assumedRole(roleArn: Role['arn'], sessionName: string) {
  const roleName = roleArn.slice(roleArn.lastIndexOf('/') + 1);
  return {
    arn: `arn:aws:sts::${accountOf(roleArn)}:assumed-role/${roleName}/${sessionName}`,
    userId: `${uniqueId('AROA', roleArn)}:${sessionName}`,
  };
}

/** An IAM id that stays the same for the same thing: a prefix and 17 letters and digits. */
export function uniqueId(prefix: string, of: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const digest = createHash('sha256').update(of).digest();
  return prefix + Array.from(digest.subarray(0, 17), (byte) => alphabet[byte % 32]).join('');
}

function accountOf(arn: string): string {
  return arn.split(':')[4] ?? '';
}
