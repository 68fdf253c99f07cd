/** What the EC2 steps of one account in one region work with, and the tags by which they know their own. */
import type { CloudPort } from '../cloud/cloud-port';
import type { Db } from '../db/connect';
import type { TerminationCap } from '../db/stop-guards';

export interface Ec2Dependencies {
  cloud: CloudPort;
  db: Db;
  /** Where launched agents find the API. */
  apiPublicUrl: string;
  /** How many machines of a client may end in a time. */
  terminationCap: TerminationCap;
}

/** The tag by which a launch whose answer was lost is found again. */
export const LAUNCH_TAG = 'spotkeeper:launch-id';

/** Tags by which our own instances and images are known. */
export function agentTags({ clientId, agentId }: { clientId: string; agentId: string }) {
  return { 'spotkeeper:client-id': clientId, 'spotkeeper:agent-id': agentId };
}
