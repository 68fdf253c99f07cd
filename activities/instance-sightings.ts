/** What EC2's states of an instance mean to those who ask whether it is there. */
import type { Ec2InstanceState } from '../cloud/instance-port';
import type { InstanceSighting } from '../contracts/activities';

export const SIGHTINGS: Record<Ec2InstanceState, InstanceSighting> = {
  pending: 'running',
  running: 'running',
  stopping: 'stopped',
  stopped: 'stopped',
  'shutting-down': 'gone',
  terminated: 'gone',
};
