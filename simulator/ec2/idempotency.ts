/** What EC2 says to a client token that stands for something else, or for something that is gone. */
import { Ec2Error } from './errors';

export function mismatch(): Ec2Error {
  return new Ec2Error(
    'IdempotentParameterMismatch',
    'Arguments on this idempotent request are inconsistent with arguments used in previous request(s).',
  );
}

export function spent(instanceIds: readonly string[]): Ec2Error {
  return new Ec2Error(
    'IdempotentInstanceTerminated',
    `The following instances launched with this client token have been terminated: ${instanceIds.join(', ')}`,
  );
}
