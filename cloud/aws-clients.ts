/**
 * The AWS SDK's clients, and how they retry.
 *
 * - **Changes** are sent once. A lack of capacity is an HTTP 500 at EC2, which the SDK would repeat for seconds of the
 *   two minutes against a pool that has nothing; and after a lost answer it is ours to decide what comes next, with the
 *   same client token. Temporal retries, and shows each try.
 * - **Looks** are sent twice at most: they have no effect, and a dropped keep-alive connection or one 5xx is not worth a
 *   failed activity. Twice the time limit stays below the shortest activity's 20 s.
 * - **Standard mode**, not adaptive: adaptive holds every call of a client back after one was throttled, and a
 *   TerminateInstances or a look for a termination must not wait behind the describing of a market. Throttling goes to
 *   Temporal, which pauses the step that met it.
 * - **Time limits**: 2 s to connect, 8 s for the answer to a look, 10 s to a change. RunInstances takes seconds, and one
 *   given up is asked again with its token.
 * - **Connections** are kept alive, and as many as a worker runs activities at once (Temporal's default is 100), so that
 *   none waits for another's socket.
 *
 * Endpoint, proxy, profile and default credentials come the SDK's standard ways (environment, files, instance role).
 */
import { EC2Client } from '@aws-sdk/client-ec2';
import { PricingClient } from '@aws-sdk/client-pricing';
import { STSClient } from '@aws-sdk/client-sts';
import { fromTemporaryCredentials } from '@aws-sdk/credential-providers';

export interface AwsCloudOptions {
  region: string;
  /** A role in the account to be served, taken on with the credentials at hand and renewed before they run out. */
  assumeRole?: { roleArn: string; externalId?: string };
  /** Milliseconds until an unanswered look or change is given up; for tests. */
  timeoutMs?: number;
}

export interface AwsClients {
  readonly region: string;
  readonly looks: EC2Client;
  readonly changes: EC2Client;
  readonly pricing: PricingClient;
  readonly sts: STSClient;
  destroy(): void;
}

const CONNECT_MS = 2_000;
const LOOK_MS = 8_000;
const CHANGE_MS = 10_000;
const SOCKETS = 128;

/** Pricing is served in a few regions only, with the prices of all. */
const PRICING_REGION = 'us-east-1';

export function createAwsClients({ region, assumeRole, timeoutMs }: AwsCloudOptions): AwsClients {
  const shared = {
    region,
    retryMode: 'standard',
    customUserAgent: 'spotkeeper',
    ...(assumeRole && { credentials: roleCredentials(assumeRole, region, timeoutMs ?? LOOK_MS) }),
  };
  const look = { ...shared, maxAttempts: 2, requestHandler: handler(timeoutMs ?? LOOK_MS) };
  const change = { ...shared, maxAttempts: 1, requestHandler: handler(timeoutMs ?? CHANGE_MS) };
  const looks = new EC2Client(look);
  const changes = new EC2Client(change);
  const sts = new STSClient({ ...look, requestHandler: handler(timeoutMs ?? LOOK_MS) });
  const pricing = new PricingClient({
    ...look,
    region: PRICING_REGION,
    requestHandler: handler(timeoutMs ?? LOOK_MS),
  });
  return {
    region,
    looks,
    changes,
    pricing,
    sts,
    destroy() {
      for (const client of [looks, changes, pricing, sts]) client.destroy();
    },
  };
}

function handler(requestTimeout: number) {
  const agent = { keepAlive: true, maxSockets: SOCKETS };
  return {
    connectionTimeout: CONNECT_MS,
    requestTimeout,
    throwOnRequestTimeout: true,
    httpAgent: agent,
    httpsAgent: agent,
  };
}

/**
 * An hour at a time, which every role allows; the SDK renews them some minutes before their end. All calls wait for one
 * answer of STS, so without a time limit one that never comes would hold up the worker for good.
 */
function roleCredentials(
  { roleArn, externalId }: { roleArn: string; externalId?: string },
  region: string,
  timeoutMs: number,
) {
  return fromTemporaryCredentials({
    params: {
      RoleArn: roleArn,
      RoleSessionName: 'spotkeeper',
      DurationSeconds: 3600,
      ...(externalId !== undefined && { ExternalId: externalId }),
    },
    clientConfig: { region, retryMode: 'standard', maxAttempts: 2, requestHandler: handler(timeoutMs) },
  });
}
