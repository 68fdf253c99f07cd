/**
 * What a spot request says of itself: EC2's status codes with the state that goes with each, as its user guide lists them
 * ("State changes for a Spot request").
 */
import type { SpotRequest, SpotRequestState } from '../books/entities';

const MESSAGES = {
  'pending-evaluation': 'Your Spot request has been submitted for review, and is pending evaluation.',
  'capacity-not-available': 'There is no Spot capacity available that matches your request.',
  'price-too-low': 'Your maximum price is lower than the current Spot price.',
  'bad-parameters': 'Your Spot request failed due to bad parameters.',
  'schedule-expired': 'Your Spot request has expired.',
  'canceled-before-fulfillment': 'Your Spot request is canceled before it was fulfilled.',
  fulfilled: 'Your spot request is fulfilled.',
  'request-canceled-and-instance-running':
    'Your Spot request is canceled, but your instance is still running.',
  'marked-for-stop': 'Your Spot Instance is marked for stop.',
  'marked-for-termination': 'Your Spot Instance is marked for termination.',
  'instance-stopped-by-price': 'Your Spot Instance was stopped because the Spot price exceeded your maximum.',
  'instance-stopped-by-user': 'Your Spot Instance was stopped due to user-initiated stop.',
  'instance-stopped-no-capacity': 'Your Spot Instance was stopped because there is no Spot capacity for it.',
  'instance-terminated-by-price':
    'Your Spot Instance was terminated because the Spot price exceeded your maximum.',
  'instance-terminated-by-service': 'Your Spot Instance was terminated from a stopped state.',
  'instance-terminated-by-user': 'Your Spot Instance was terminated due to user-initiated termination.',
  'instance-terminated-no-capacity':
    'Your Spot Instance was terminated because there is no Spot capacity for it.',
} as const;

export type SpotStatusCode = keyof typeof MESSAGES;

/** The request in another state; the same object when it is in it already. */
export function inStatus(
  request: SpotRequest,
  state: SpotRequestState,
  code: SpotStatusCode,
  now: number,
): SpotRequest {
  if (request.state === state && request.status.code === code) return request;
  return { ...request, state, status: { code, message: MESSAGES[code], at: now } };
}
