/** The actions this cloud knows. */
import { createImage } from './create-image';
import { createTags } from './create-tags';
import { describeAvailabilityZones } from './describe-availability-zones';
import { describeImages } from './describe-images';
import { describeInstances } from './describe-instances';
import { describeSpotPriceHistory } from './describe-spot-price-history';
import type { Ec2Action } from './request';
import { runInstances } from './run-instances';
import { terminateInstances } from './terminate-instances';

export const ACTIONS: ReadonlyMap<string, Ec2Action> = new Map(
  Object.entries({
    CreateImage: createImage,
    CreateTags: createTags,
    DescribeAvailabilityZones: describeAvailabilityZones,
    DescribeImages: describeImages,
    DescribeInstances: describeInstances,
    DescribeSpotPriceHistory: describeSpotPriceHistory,
    RunInstances: runInstances,
    TerminateInstances: terminateInstances,
  }),
);
