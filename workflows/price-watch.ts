/** One look at the prices of an account in a region; a Schedule starts it every few minutes. */
import { proxyActivities } from '@temporalio/workflow';
import type { PriceActivities, PricesRecorded } from '../contracts/activities';
import { ec2TaskQueue } from '../contracts/ids';

/** The next look makes up for this one, so it doesn't try for long. */
export async function priceWatchWorkflow(place: {
  accountId: string;
  region: string;
}): Promise<PricesRecorded> {
  const { recordPrices } = proxyActivities<PriceActivities>({
    taskQueue: ec2TaskQueue(place.accountId, place.region),
    scheduleToStartTimeout: '1 min',
    startToCloseTimeout: '2 min',
    heartbeatTimeout: '6 s',
    retry: { initialInterval: '1 s', backoffCoefficient: 2, maximumInterval: '20 s', maximumAttempts: 4 },
  });
  return recordPrices(place);
}
