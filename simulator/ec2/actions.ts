/** The actions this cloud knows. */
import { attachVolume } from './attach-volume';
import { createImage } from './create-image';
import { createSnapshot } from './create-snapshot';
import { createSnapshots } from './create-snapshots';
import { createTags } from './create-tags';
import { createVolume } from './create-volume';
import { deleteSnapshot } from './delete-snapshot';
import { deleteTags } from './delete-tags';
import { deleteVolume } from './delete-volume';
import { deregisterImage } from './deregister-image';
import { describeAvailabilityZones } from './describe-availability-zones';
import { describeImages } from './describe-images';
import { describeInstances } from './describe-instances';
import { describeSnapshots } from './describe-snapshots';
import { describeSpotPriceHistory } from './describe-spot-price-history';
import { describeTags } from './describe-tags';
import { describeVolumes } from './describe-volumes';
import { detachVolume } from './detach-volume';
import { disableImage, enableImage } from './disable-image';
import type { Ec2Action } from './request';
import { runInstances } from './run-instances';
import { terminateInstances } from './terminate-instances';

export const ACTIONS: ReadonlyMap<string, Ec2Action> = new Map(
  Object.entries({
    AttachVolume: attachVolume,
    CreateImage: createImage,
    CreateSnapshot: createSnapshot,
    CreateSnapshots: createSnapshots,
    CreateTags: createTags,
    CreateVolume: createVolume,
    DeleteSnapshot: deleteSnapshot,
    DeleteTags: deleteTags,
    DeleteVolume: deleteVolume,
    DeregisterImage: deregisterImage,
    DescribeAvailabilityZones: describeAvailabilityZones,
    DescribeImages: describeImages,
    DescribeInstances: describeInstances,
    DescribeSnapshots: describeSnapshots,
    DescribeSpotPriceHistory: describeSpotPriceHistory,
    DescribeTags: describeTags,
    DescribeVolumes: describeVolumes,
    DetachVolume: detachVolume,
    DisableImage: disableImage,
    EnableImage: enableImage,
    RunInstances: runInstances,
    TerminateInstances: terminateInstances,
  }),
);
