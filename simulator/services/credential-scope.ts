/** What a SigV4 signature says of its call: `<key>/<date>/<region>/<service>/aws4_request`. The signature itself isn't checked. */
import type { RawRequest } from './service';

export interface CredentialScope {
  readonly accessKeyId: string;
  readonly region: string;
  readonly service: string;
}

/** Null for an unsigned request, `malformed` for a signature without a proper scope. */
export function readScope({ headers, query, body }: RawRequest): CredentialScope | 'malformed' | null {
  const { authorization } = headers;
  const text =
    authorization === undefined
      ? (new URLSearchParams(query).get('X-Amz-Credential') ?? formParameter(body, 'X-Amz-Credential'))
      : (/^AWS4-HMAC-SHA256\s+(?:.*,\s*)?Credential=([^,\s]+)/.exec(authorization)?.[1] ?? '');
  if (text === null) return null;
  const parts = text.split('/');
  const [region = '', service = '', end] = parts.slice(-3);
  const accessKeyId = parts.slice(0, -4).join('/');
  if (parts.length < 5 || accessKeyId === '' || end !== 'aws4_request') return 'malformed';
  return { accessKeyId, region, service };
}

/** The session token of temporary keys; null when there is none. */
export function readSessionToken({ headers, query, body }: RawRequest): string | null {
  const header = headers['x-amz-security-token'];
  if (typeof header === 'string') return header;
  return (
    new URLSearchParams(query).get('X-Amz-Security-Token') ?? formParameter(body, 'X-Amz-Security-Token')
  );
}

/** A signature in a form is rare: the form is only read again when it can hold one. */
function formParameter(body: string, name: string): string | null {
  return body.includes(name) ? new URLSearchParams(body).get(name) : null;
}
