/**
 * Where moto does otherwise than AWS, by the name of the contract it breaks. A contract that moto comes to keep fails
 * the run (`contracts.ts`), so nothing stays here that isn't so.
 */
import type { Difference } from './contracts';

const API = 'https://docs.aws.amazon.com/AWSEC2/latest/APIReference';
const GUIDE = 'https://docs.aws.amazon.com/AWSEC2/latest/UserGuide';

const ERROR_CODES = `EC2 API reference, "Error codes", ${API}/errors-overview.html`;
const IDEMPOTENCY =
  'EC2 developer guide, "Ensuring idempotency", https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html';
const CREATE_FLEET = `EC2 API reference, CreateFleet (errorSet), ${API}/API_CreateFleet.html`;
const PRICE_HISTORY = `EC2 API reference, DescribeSpotPriceHistory, ${API}/API_DescribeSpotPriceHistory.html`;
const SPOT_REQUESTS = `EC2 API reference, DescribeSpotInstanceRequests, ${API}/API_DescribeSpotInstanceRequests.html`;
const SPOT_STATUS = `EC2 user guide, "Spot request status", ${GUIDE}/spot-request-status.html`;

export const MOTO_DIFFERENCES: Record<string, Difference> = {
  'client tokens: the same token with the same parameters gives the same instance': {
    instead: 'launches again: it does not read the token',
    document: IDEMPOTENCY,
  },
  'client tokens: the same token with changed parameters is refused': {
    instead: 'launches again',
    document: IDEMPOTENCY,
  },
  'client tokens: the token of a terminated instance is spent': {
    instead: 'launches again',
    document: `${ERROR_CODES}, IdempotentInstanceTerminated`,
  },
  'client tokens: a token of 64 characters is taken, and one more is not': {
    instead: 'takes a token of any length',
    document: `${IDEMPOTENCY}: up to 64 ASCII characters`,
  },
  'fleets: the same token gives the same instance': {
    instead: 'launches again',
    document: `${IDEMPOTENCY}, which lists CreateFleet`,
  },
  'fleets: a pool without room is passed over': {
    instead: 'has room without end',
    document: CREATE_FLEET,
  },
  'fleets: pools without room are errors in an answer, each with its pool': {
    instead: 'has room without end',
    document: CREATE_FLEET,
  },
  'identity: a role is not taken on with another external id': {
    instead: 'gives out any role to anyone',
    document:
      'IAM user guide, "Access to AWS accounts owned by third parties", https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html',
  },
  'images: an image of the port is pending first, and its snapshots carry its tags': {
    instead: 'answers tags for the snapshots with a page of HTML and status 500',
    document: `EC2 API reference, CreateImage (TagSpecification), ${API}/API_CreateImage.html`,
  },
  'images: a name is taken once': {
    instead: 'makes a second image of the name',
    document: `${ERROR_CODES}, InvalidAMIName.Duplicate`,
  },
  'images: a disabled image is hidden from the usual look, and not launched from': {
    instead: 'does not know DisableImage',
    document: `EC2 API reference, DisableImage, ${API}/API_DisableImage.html`,
  },
  'images: a deregistered image is none to launch from': {
    instead: 'launches from any image id',
    document: `${ERROR_CODES}, InvalidAMIID.Unavailable`,
  },
  'images: a name must be of the form that EC2 takes': {
    instead: 'takes any name',
    document: `${ERROR_CODES}, InvalidAMIName.Malformed`,
  },
  'instances: an id that is none is malformed': {
    instead: 'says InvalidInstanceID.NotFound',
    document: `${ERROR_CODES}, InvalidInstanceID.Malformed`,
  },
  'instances: an image that is not there is no image to launch from': {
    instead: 'launches from any image id',
    document: `${ERROR_CODES}, InvalidAMIID.NotFound`,
  },
  'instances: a pool without room says InsufficientInstanceCapacity as a server error': {
    instead: 'has room without end',
    document: `${ERROR_CODES}, server error codes`,
  },
  'market: the history of a price can be of one zone': {
    instead: 'gives every zone',
    document: `${PRICE_HISTORY} (AvailabilityZone)`,
  },
  'market: the history of prices comes in pages': {
    instead: 'gives all of it in one answer, whatever MaxResults says',
    document: `${PRICE_HISTORY} (MaxResults)`,
  },
  'market: the on-demand price is a decimal above the spot price': {
    instead: 'has no price list',
    document:
      'AWS Price List Query API, GetProducts, https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_pricing_GetProducts.html',
  },
  'stop and start: a one-time spot instance can not stop': {
    instead: 'stops it',
    document: `EC2 user guide, "Stop a Spot Instance", ${GUIDE}/using-spot-instances-request.html`,
  },
  'stop and start: an instance launched without the flag can not hibernate': {
    instead: 'stops it',
    document: `${ERROR_CODES}, UnsupportedHibernationConfiguration`,
  },
  'stop and start: what is terminated neither stops nor starts': {
    instead: 'stops and starts it',
    document: `${ERROR_CODES}, IncorrectInstanceState`,
  },
  'spot requests: a launch on spot has a one-time request that is fulfilled': {
    instead: 'makes no spot request for a launch on spot',
    document: `EC2 API reference, Instance (spotInstanceRequestId), ${API}/API_Instance.html`,
  },
  'spot requests: requests are found by their instances, of which on-demand ones have none': {
    instead: 'does not know the filter instance-id',
    document: `${SPOT_REQUESTS} (Filter)`,
  },
  'spot requests: one unknown id hides none of the others': {
    instead: 'has no request of the launch to find',
    document: `EC2 API reference, Instance (spotInstanceRequestId), ${API}/API_Instance.html`,
  },
  'spot requests: a cancelled request leaves its instance running': {
    instead: 'has no request of the launch, and fails for an unknown one with status 500',
    document: `${ERROR_CODES}, InvalidSpotInstanceRequestID.NotFound`,
  },
  'spot requests: the request of a terminated instance is closed, and says by whom': {
    instead: 'has no request of the launch',
    document: SPOT_STATUS,
  },
  'termination: a launch can protect its instance': {
    instead: 'does not read DisableApiTermination of RunInstances',
    document: `EC2 API reference, RunInstances (DisableApiTermination), ${API}/API_RunInstances.html`,
  },
  'volumes: a root volume ends with its instance': {
    instead: 'describes it as one that stays',
    document: `EC2 user guide, "Preserve data when an instance is terminated", ${GUIDE}/preserving-volumes-on-termination.html`,
  },
  'volumes: a volume that hangs on one instance is in use for another': {
    instead: 'attaches it to both',
    document: `${ERROR_CODES}, VolumeInUse`,
  },
  'volumes: a volume stays in its zone': {
    instead: 'attaches it across zones',
    document: `${ERROR_CODES}, InvalidVolume.ZoneMismatch`,
  },
  'volumes: the root volume of a running instance stays': {
    instead: 'detaches it',
    document: `EC2 API reference, DetachVolume, ${API}/API_DetachVolume.html`,
  },
};
