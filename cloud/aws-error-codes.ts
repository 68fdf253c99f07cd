/**
 * What AWS's error codes mean for us. Source: "Error codes for the Amazon EC2 API" of the EC2 API reference, all of its
 * codes that our calls can meet; "Common errors" of STS and Pricing; the Node.js codes of connections that broke. A code
 * that isn't here is judged by its HTTP status.
 */
import type { CloudErrorKind } from './cloud-error';

const CODES: Record<CloudErrorKind, readonly string[]> = {
  no_capacity: [
    'InsufficientAddressCapacity',
    'InsufficientCapacity',
    'InsufficientCapacityOnHost',
    'InsufficientFreeAddressesInSubnet',
    'InsufficientHostCapacity',
    'InsufficientInstanceCapacity',
    'InsufficientReservedInstanceCapacity',
    'InsufficientReservedInstancesCapacity',
    'InsufficientVolumeCapacity',
    'IncompatibleHostRequirements',
    'MaxSpotFleetRequestCountExceeded',
    'ReservationCapacityExceeded',
    'SpotMaxPriceTooLow',
    'UnavailableHostRequirements',
    'UnfulfillableCapacity',
    // This type in this zone, for now.
    'Unsupported',
    'VolumeTypeNotAvailableInZone',
    // Limits by family and purchase option, so another pool can be within its own.
    'InstanceLimitExceeded',
    'MaxSpotInstanceCountExceeded',
    'VcpuLimitExceeded',
    // The token's instance is spent: another launch needs another token, which another attempt has.
    'IdempotentInstanceTerminated',
  ],
  throttled: [
    'BandwidthLimitExceeded',
    'EC2ThrottledException',
    'LimitExceededException',
    'PriorRequestNotComplete',
    'ProvisionedThroughputExceededException',
    'RequestLimitExceeded',
    'RequestResourceCountExceeded',
    'RequestThrottled',
    'RequestThrottledException',
    'SlowDown',
    'Throttling',
    'ThrottlingException',
    'ThrottledException',
    'TooManyRequestsException',
    // Too much of a kind under way at once; what is under way ends.
    'ConcurrentCreateImageNoRebootLimitExceeded',
    'ConcurrentSnapshotLimitExceeded',
    'ConcurrentTagAccess',
    'PendingSnapshotLimitExceeded',
    'SnapshotCreationPerVolumeRateExceeded',
  ],
  already_done: [
    'InvalidAMIID.NotFound',
    'InvalidAMIID.Unavailable',
    'InvalidAttachment.NotFound',
    'InvalidInstanceID.NotFound',
    'InvalidLaunchTemplateId.NotFound',
    'InvalidLaunchTemplateName.NotFoundException',
    'InvalidSnapshot.NotFound',
    'InvalidSnapshotID.NotFound',
    'InvalidSpotInstanceRequestID.NotFound',
    'InvalidVolume.NotFound',
    'InvalidVolumeID.NotFound',
  ],
  wrong_state: [
    'DependencyViolation',
    'IncorrectInstanceState',
    'IncorrectModificationState',
    'IncorrectSpotRequestState',
    'IncorrectState',
    'IncorrectStateException',
    'InvalidInstanceState',
    'InvalidSnapshot.InUse',
    'InvalidState',
    'InvalidStateTransition',
    'VolumeInUse',
  ],
  not_permitted: [
    'AccessDenied',
    'AccessDeniedException',
    'AccountDisabled',
    'AuthFailure',
    'Blocked',
    'CredentialsProviderError',
    'CustomerKeyHasBeenRevoked',
    'DeclarativePoliciesAccessDeniedException',
    'ExpiredToken',
    'ExpiredTokenException',
    'IncompleteSignature',
    'InvalidClientTokenId',
    'InvalidSecurity.RequestHasExpired',
    'InvalidSignatureException',
    'MissingAuthenticationToken',
    'MissingAuthenticationTokenException',
    'NotAuthorized',
    // Termination or stop protection of an instance, above all.
    'OperationNotPermitted',
    'OptInRequired',
    'PendingVerification',
    'RegionDisabledException',
    'RequestExpired',
    'SignatureDoesNotMatch',
    'TagPolicyViolation',
    'TokenRefreshRequired',
    'UnauthorizedOperation',
    'UnrecognizedClientException',
    // Limits of the whole account or region, which no other pool is outside of.
    'AddressLimitExceeded',
    'AttachmentLimitExceeded',
    'HostLimitExceeded',
    'MaxIOPSLimitExceeded',
    'MaxTemplateLimitExceeded',
    'MaxTemplateVersionLimitExceeded',
    'NetworkInterfaceLimitExceeded',
    'PrivateIpAddressLimitExceeded',
    'ResourceLimitExceeded',
    'SecurityGroupLimitExceeded',
    'SecurityGroupsPerInstanceLimitExceeded',
    'SnapshotLimitExceeded',
    'TagLimitExceeded',
    'VolumeIOPSLimit',
    'VolumeLimitExceeded',
  ],
  retry: [
    'IDPCommunicationError',
    'InternalError',
    'InternalFailure',
    'InternalServerError',
    'InternalServiceError',
    'InternalErrorException',
    'NetworkingError',
    'RequestTimeout',
    'RequestTimeoutException',
    'RetryableError',
    'ServerInternal',
    'ServiceUnavailable',
    'ServiceUnavailableException',
    'TimeoutError',
    'Unavailable',
  ],
  never: [
    'BootForVolumeTypeUnsupported',
    'ClientInvalidParameterValue',
    'DefaultVpcDoesNotExist',
    // Not an error: the answer of a dry run that would have been allowed. `permissions` reads it.
    'DryRunOperation',
    'EncryptedVolumesNotSupported',
    'FilterLimitExceeded',
    'IdempotentParameterMismatch',
    'InvalidAMIName.Duplicate',
    'InvalidAMIName.Malformed',
    'InvalidAction',
    'InvalidInstanceType',
    'InvalidNextToken',
    'InvalidPaginationToken',
    'InvalidParameter',
    'InvalidParameterCombination',
    'InvalidParameterDependency',
    'InvalidParameterValue',
    'InvalidVolume.ZoneMismatch',
    'InvalidZone.NotFound',
    'MalformedQueryString',
    'MissingParameter',
    'ResourceCountExceeded',
    'UnknownParameter',
    'UnsupportedHibernationConfiguration',
    'UnsupportedInstanceAttribute',
    'UnsupportedOperation',
    'VPCIdNotSpecified',
    'ValidationError',
    'ValidationException',
  ],
};

const KIND_OF_CODE = new Map(
  Object.entries(CODES).flatMap(([kind, codes]) =>
    codes.map((code) => [code, kind as CloudErrorKind] as const),
  ),
);

/** Nothing of the request can have reached the server. */
const NEVER_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

/** The actions that have no effect, whatever became of their answer. */
const LOOKS = /^(Describe|Get|AssumeRole)/;

/** The actions whose object may be unknown because it is gone; of any other, what is unknown is an input of it. */
const LOOKS_OR_ENDS = /^(Describe|Terminate|Delete|Deregister|Detach|Cancel|Stop)/;

/**
 * @param action the API's action, for example TerminateInstances.
 * @param status the HTTP status; undefined when no answer came.
 */
export function meaningOf(
  action: string,
  code: string,
  status: number | undefined,
): { kind: CloudErrorKind; ambiguous: boolean } {
  const known = KIND_OF_CODE.get(code);
  const kind =
    known === 'already_done' && !LOOKS_OR_ENDS.test(action) ? 'never' : (known ?? kindByStatus(status));
  const answered = status !== undefined && status >= 400 && status < 500;
  const hasEffect = !LOOKS.test(action) && !NEVER_SENT.has(code);
  return { kind, ambiguous: kind === 'retry' && !answered && hasEffect };
}

/** EC2 answers a wrong request with 4xx. Everything else, a broken connection above all, may pass. */
function kindByStatus(status: number | undefined): CloudErrorKind {
  if (status === 429) return 'throttled';
  return status !== undefined && status >= 400 && status < 500 ? 'never' : 'retry';
}
