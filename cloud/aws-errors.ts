/** The one place where AWS error codes get their meaning. Source: the EC2 API reference, "Error codes". */
import { CloudError, type CloudErrorKind } from './cloud-port';

const KINDS: Record<Exclude<CloudErrorKind, 'retry' | 'never'>, readonly string[]> = {
  no_capacity: [
    'InsufficientInstanceCapacity',
    'InsufficientCapacity',
    'InsufficientHostCapacity',
    'InsufficientReservedInstanceCapacity',
    'InsufficientFreeAddressesInSubnet',
    'UnfulfillableCapacity',
    'MaxSpotInstanceCountExceeded',
    'SpotMaxPriceTooLow',
    'VcpuLimitExceeded',
    'InstanceLimitExceeded',
    'Unsupported',
    // The token's instance is spent: another launch needs another token, which another attempt has.
    'IdempotentInstanceTerminated',
  ],
  throttled: [
    'RequestLimitExceeded',
    'Throttling',
    'ThrottlingException',
    'RequestThrottled',
    'RequestThrottledException',
    'TooManyRequestsException',
    'EC2ThrottledException',
    'BandwidthLimitExceeded',
  ],
  not_permitted: [
    'UnauthorizedOperation',
    'AuthFailure',
    'AccessDenied',
    'AccessDeniedException',
    'Blocked',
    'OptInRequired',
    'PendingVerification',
    'MissingAuthenticationToken',
    'InvalidClientTokenId',
    'UnrecognizedClientException',
    'SignatureDoesNotMatch',
    'ExpiredToken',
    'ExpiredTokenException',
    'RequestExpired',
    'CredentialsProviderError',
    'OperationNotPermitted',
  ],
  already_done: ['InvalidInstanceID.NotFound'],
};

const PASSING_CODES = [
  'InternalError',
  'InternalFailure',
  'ServerInternal',
  'ServiceUnavailable',
  'Unavailable',
  'RequestTimeout',
  'TimeoutError',
  'NetworkingError',
];

interface SdkError {
  name?: string;
  code?: string;
  Code?: string;
  message?: string;
  $metadata?: { httpStatusCode?: number };
}

/** What an SDK error means for us. `doing` names action and object, for the sentence. */
export function classifyAwsError(error: unknown, doing: string): CloudError {
  if (error instanceof CloudError) return error;
  const { name, code, Code, message, $metadata } = (error ?? {}) as SdkError;
  const awsCode = Code ?? (name && name !== 'Error' ? name : code) ?? 'Unknown';
  const kind = kindOf(awsCode, $metadata?.httpStatusCode);
  return new CloudError(kind, awsCode, `EC2 refused ${doing}: ${awsCode}: ${message ?? 'no reason given'}`, {
    cause: error,
  });
}

function kindOf(code: string, status: number | undefined): CloudErrorKind {
  for (const [kind, codes] of Object.entries(KINDS)) if (codes.includes(code)) return kind as CloudErrorKind;
  if (PASSING_CODES.includes(code)) return 'retry';
  // EC2 answers a wrong request with 4xx. Everything else, a broken connection above all, may pass.
  return status !== undefined && status >= 400 && status < 500 ? 'never' : 'retry';
}
