/** EC2's refusal of a call without permission: who, what, on what, and why, with a message for whoever may decode it. */
import { deflateRawSync } from 'node:zlib';
import type { Caller } from '../services/callers';
import type { OpenCall } from '../services/service';
import { Ec2Error } from './errors';
import { isReading } from './request-buckets';

/** Ids by their prefix: the resource's type, and whether its ARN names no account since anyone may own it. */
const RESOURCES: ReadonlyMap<string, readonly [type: string, ownerless: boolean]> = new Map([
  ['i', ['instance', false]],
  ['vol', ['volume', false]],
  ['snap', ['snapshot', true]],
  ['ami', ['image', true]],
  ['sir', ['spot-instances-request', false]],
  ['lt', ['launch-template', false]],
]);
/** What an action makes, when it names nothing that is there already. */
const MADE: Readonly<Record<string, string>> = {
  RunInstances: 'instance/*',
  CreateFleet: 'fleet/*',
  CreateLaunchTemplate: 'launch-template/*',
  CreateVolume: 'volume/*',
};

export function unauthorized(call: OpenCall, caller: Caller, verdict: 'lacking' | 'denied'): Ec2Error {
  const action = `ec2:${call.action}`;
  const why =
    verdict === 'denied'
      ? 'with an explicit deny in an identity-based policy'
      : `because no identity-based policy allows the ${action} action`;
  const who = `You are not authorized to perform this operation. User: ${caller.arn} is not authorized to perform: ${action}`;
  // What only reads has no resources that permissions could name.
  if (isReading(call.action)) return new Ec2Error('UnauthorizedOperation', `${who} ${why}`);
  const resource = resourceArn(call, caller);
  const decoded = {
    allowed: false,
    explicitDeny: verdict === 'denied',
    context: { principal: { id: caller.userId, arn: caller.arn }, action, resource },
  };
  const encoded = deflateRawSync(JSON.stringify(decoded)).toString('base64url');
  return new Ec2Error(
    'UnauthorizedOperation',
    `${who} on resource: ${resource} ${why}. Encoded authorization failure message: ${encoded}`,
  );
}

function resourceArn({ action, parameters }: OpenCall, { region, accountId }: Caller): string {
  const made = MADE[action];
  if (made !== undefined) return `arn:aws:ec2:${region}:${accountId}:${made}`;
  for (const [name, value] of parameters) {
    if (!/^[A-Za-z]+Id(\.\d+)?$/.test(name)) continue;
    const known = RESOURCES.get(value.slice(0, value.indexOf('-')));
    if (!known) continue;
    const [type, ownerless] = known;
    return `arn:aws:ec2:${region}:${ownerless ? '' : accountId}:${type}/${value}`;
  }
  return '*';
}
