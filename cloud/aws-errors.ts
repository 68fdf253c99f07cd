/** The one place where an error of the AWS SDK becomes ours: its meaning, and a sentence for people. */
import { CloudError, type CloudErrorKind } from './cloud-error';
import { meaningOf } from './aws-error-codes';

export type AwsService = 'ec2' | 'pricing' | 'sts';

/** What was being asked of AWS. */
export interface AwsCall {
  service: AwsService;
  /** The API's action, for example RunInstances. */
  action: string;
  /** What it was to act on, in words that follow the action: "of i-0123", "for spot p3.2xlarge in us-east-1a". */
  object: string;
}

interface SdkError {
  name?: string;
  code?: string;
  Code?: string;
  message?: string;
  cause?: unknown;
  $metadata?: { httpStatusCode?: number };
}

const SERVICE_NAMES: Record<AwsService, string> = { ec2: 'EC2', pricing: 'AWS Pricing', sts: 'AWS STS' };

/** What an SDK error means for us. One of ours passes through. */
export function classifyAwsError(error: unknown, call: AwsCall): CloudError {
  if (error instanceof CloudError) return error;
  const { name, code, Code, message, $metadata } = (error ?? {}) as SdkError;
  const awsCode = Code ?? (isTelling(name) ? name : (code ?? codeOfCause(error))) ?? 'Unknown';
  const status = $metadata?.httpStatusCode;
  const { kind, ambiguous } = meaningOf(call.action, awsCode, status);
  const reason = withStop(plain(message) || 'no reason given');
  const doing = `${SERVICE_NAMES[call.service]} ${status === undefined ? 'gave no answer to' : 'refused'} ${call.action} ${call.object}`;
  const sentence = `${doing}: ${awsCode}: ${reason} ${advice(kind, ambiguous, awsCode, call, message ?? '')}`;
  return new CloudError({ kind, code: awsCode, ambiguous }, sentence.trim(), { cause: error });
}

/** JavaScript's own names say nothing of what happened. */
function isTelling(name: string | undefined): name is string {
  return name !== undefined && !['', 'Error', 'AggregateError', 'TypeError', 'SyntaxError'].includes(name);
}

/** Node joins the failures of several addresses in one error without a code of its own. */
function codeOfCause(error: unknown): string | undefined {
  const { errors, cause } = (error ?? {}) as { errors?: SdkError[]; cause?: SdkError };
  return errors?.find((one) => one.code)?.code ?? cause?.code;
}

function advice(
  kind: CloudErrorKind,
  ambiguous: boolean,
  code: string,
  call: AwsCall,
  message: string,
): string {
  switch (kind) {
    case 'retry':
      return ambiguous
        ? 'It may have taken effect all the same; the same is asked again.'
        : 'It may pass; the same is asked again.';
    case 'throttled':
      return 'AWS wants fewer calls; the same is asked again later.';
    case 'no_capacity':
      return /Limit|Count/.test(code)
        ? 'Another pool may still be within its limit; AWS raises this one on request (Service Quotas).'
        : 'Another pool may have what this one lacks.';
    case 'already_done':
      return 'Either it is gone, or it is so new that EC2 does not show it yet.';
    case 'wrong_state':
      return 'It has to reach another state first.';
    case 'not_permitted':
      return permissionAdvice(code, call, message);
    case 'never':
      return 'The same request would be refused again.';
  }
}

function permissionAdvice(code: string, { service, action }: AwsCall, message: string): string {
  if (code === 'OperationNotPermitted')
    return 'Its protection, or what it is used as, forbids that until a person changes it.';
  if (/Limit/.test(code)) return 'Ask AWS for a higher limit (Service Quotas), or free what is not needed.';
  if (/^(UnauthorizedOperation|AccessDenied|NotAuthorized|DeclarativePolicies)/.test(code)) {
    // A launch with tags can lack ec2:CreateTags rather than ec2:RunInstances; AWS then says so.
    const missing = /not authorized to perform: ([a-z0-9-]+:[A-Za-z]+)/.exec(message)?.[1];
    return `Allow ${missing ?? `${service}:${action}`} in the IAM policy of the credentials in use.`;
  }
  if (code === 'TagPolicyViolation') return "Let the organization's tag policy permit our tags.";
  return "Mend the worker's AWS credentials or account, and the system's clock if they are right.";
}

/** Without the encoded part, which is a thousand letters that only sts:DecodeAuthorizationMessage can read. */
function plain(message: string | undefined): string {
  return (message ?? '').replace(/\s*Encoded authorization failure message:.*$/s, '').trim();
}

function withStop(sentence: string): string {
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
}
