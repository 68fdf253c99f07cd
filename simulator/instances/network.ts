/** Each region's default VPC, and each zone's default subnet in it: nothing else is simulated of networks. */
import { createHash } from 'node:crypto';

export function vpcOf(region: string): string {
  return idOf('vpc', region);
}

export function subnetOf(zone: string): string {
  return idOf('subnet', zone);
}

export function securityGroupOf(region: string): string {
  return idOf('sg', region);
}

/** Of the addresses of a default subnet, those that EC2 leaves. */
export const SUBNET_ADDRESSES = 4091;

const made = new Map<string, string>();

function idOf(prefix: string, name: string): string {
  const thing = `${prefix} ${name}`;
  let id = made.get(thing);
  if (id === undefined) {
    id = `${prefix}-${createHash('sha256').update(thing).digest('hex').slice(0, 17)}`;
    made.set(thing, id);
  }
  return id;
}
