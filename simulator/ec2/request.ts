/** One call as its action sees it, and what every action answers. */
import type { Cloud } from '../cloud';
import { Ec2Error } from './errors';
import type { QueryParameters } from './query-parameters';
import type { XmlElements } from './xml';

export interface Ec2Request {
  readonly cloud: Cloud;
  readonly region: string;
  readonly parameters: QueryParameters;
  /** The cloud second it is answered at. */
  readonly now: number;
}

/**
 * Checks everything, then changes the books, then answers with the elements of the response: at once, or (a promise) when
 * files that the answer speaks of are written. The checks and the change are one step, before anything is waited for.
 * @throws Ec2Error before anything is changed.
 */
export interface Ec2Action {
  /** First parts of the names that the action takes. */
  readonly parameters: readonly string[];
  readonly run: (request: Ec2Request) => XmlElements | Promise<XmlElements>;
}

/** A dry run ends where the change would begin. */
export function refuseDryRun(parameters: QueryParameters): void {
  if (parameters.boolean('DryRun') === true) {
    throw new Ec2Error('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.');
  }
}
