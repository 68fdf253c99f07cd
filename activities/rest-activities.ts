/** Whether what a machine is to be put to rest for is still so: the books are asked, the policy judges. */
import type { RestActivities } from '../contracts/activities';
import type { Db } from '../db/connect';
import { readGrounds, readIdleSamples } from '../db/rest-causes';
import { judgeCause } from '../policy/rest';

export function createRestActivities(db: Db): RestActivities {
  return {
    async confirmCause(request) {
      const { cause, seconds } = request;
      const grounds = await readGrounds(db, request);
      const samples =
        cause === 'idle' && grounds?.leaseId ? await readIdleSamples(db, grounds.leaseId, seconds) : null;
      return judgeCause(cause, seconds, grounds, samples);
    },
  };
}
