/**
 * Who calls and for which region: the credential scope of a SigV4 signature. The signature itself isn't checked, since
 * every key is as good as any here.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { Ec2Error } from './errors';
import type { QueryParameters } from './query-parameters';

export interface Caller {
  readonly accessKeyId: string;
  readonly region: string;
}

/** @throws Ec2Error when the call is unsigned, or signed for something else. */
export function readCaller(
  headers: IncomingHttpHeaders,
  parameters: QueryParameters,
  regions: readonly string[],
): Caller {
  const scope = scopeIn(headers.authorization) ?? parameters.text('X-Amz-Credential');
  if (scope === null) {
    if (headers.authorization !== undefined) throw refused();
    throw new Ec2Error(
      'MissingAuthenticationToken',
      'Request must contain either a valid (registered) AWS access key ID or X.509 certificate.',
    );
  }
  const parts = scope.split('/');
  const [region, service, end] = parts.slice(-3);
  const accessKeyId = parts.slice(0, -4).join('/');
  if (parts.length < 5 || !accessKeyId || service !== 'ec2' || end !== 'aws4_request') throw refused();
  if (region === undefined || !regions.includes(region)) {
    throw new Ec2Error(
      'AuthFailure',
      `AWS was not able to validate the provided access credentials: they are scoped to ${region}, and this cloud has ${regions.join(', ')}`,
    );
  }
  return { accessKeyId, region };
}

function scopeIn(authorization: string | undefined): string | null {
  return /^AWS4-HMAC-SHA256\s+(?:.*,\s*)?Credential=([^,\s]+)/.exec(authorization ?? '')?.[1] ?? null;
}

function refused(): Ec2Error {
  return new Ec2Error('AuthFailure', 'AWS was not able to validate the provided access credentials');
}
