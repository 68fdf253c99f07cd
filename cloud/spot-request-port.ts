/** Spot requests: what EC2 says of an interruption before the instance itself changes. */
import type { CloudError } from './cloud-error';
import type { Described } from './cloud-port';

export interface SpotRequestDescription {
  spotRequestId: string;
  state: 'open' | 'active' | 'closed' | 'cancelled' | 'failed' | 'disabled';
  /**
   * EC2's status code, for example `fulfilled`, `marked-for-termination`, `marked-for-stop`,
   * `instance-terminated-no-capacity`. Source: EC2 user guide, "Spot request status".
   */
  statusCode: string;
  statusMessage: string;
  /** ISO 8601. */
  statusUpdatedAt: string | null;
  instanceId: string | null;
  type: 'one-time' | 'persistent';
  interruptionBehavior: 'terminate' | 'stop' | 'hibernate';
}

export type CancelOutcome =
  /** It launches nothing more; its instance goes on. */
  | { outcome: 'cancelled'; state: string }
  | { outcome: 'unknown'; message: string }
  | { outcome: 'failed'; error: CloudError };

export interface SpotRequestPort {
  describe(spotRequestIds: readonly string[]): Promise<Described<SpotRequestDescription>>;
  /** The requests behind these instances; on-demand ones have none. */
  ofInstances(instanceIds: readonly string[]): Promise<SpotRequestDescription[]>;
  /** CancelSpotInstanceRequests in batches; a result for every id. Ends no instance. */
  cancel(spotRequestIds: readonly string[]): Promise<Map<string, CancelOutcome>>;
}
