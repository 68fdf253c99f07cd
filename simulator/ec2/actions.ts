/** The actions this cloud knows. */
import { attachVolume } from './attach-volume';
import { cancelSpotInstanceRequests } from './cancel-spot-instance-requests';
import { createFleet } from './create-fleet';
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
import { describeInstanceAttribute } from './describe-instance-attribute';
import { describeInstanceStatus } from './describe-instance-status';
import { describeInstanceTypes } from './describe-instance-types';
import { describeInstances } from './describe-instances';
import { describeSnapshots } from './describe-snapshots';
import { describeSpotInstanceRequests } from './describe-spot-instance-requests';
import { describeSpotPriceHistory } from './describe-spot-price-history';
import { describeSubnets } from './describe-subnets';
import { describeTags } from './describe-tags';
import { describeVolumes } from './describe-volumes';
import { detachVolume } from './detach-volume';
import { disableImage, enableImage } from './disable-image';
import {
  createLaunchTemplate,
  createLaunchTemplateVersion,
  deleteLaunchTemplate,
  describeLaunchTemplates,
} from './launch-templates';
import { modifyInstanceAttribute } from './modify-instance-attribute';
import { rebootInstances } from './reboot-instances';
import type { Ec2Action } from './request';
import { runInstances } from './run-instances';
import { startInstances } from './start-instances';
import { stopInstances } from './stop-instances';
import { terminateInstances } from './terminate-instances';

export const ACTIONS: ReadonlyMap<string, Ec2Action> = new Map(
  Object.entries({
    AttachVolume: attachVolume,
    CancelSpotInstanceRequests: cancelSpotInstanceRequests,
    CreateFleet: createFleet,
    CreateImage: createImage,
    CreateLaunchTemplate: createLaunchTemplate,
    CreateLaunchTemplateVersion: createLaunchTemplateVersion,
    CreateSnapshot: createSnapshot,
    CreateSnapshots: createSnapshots,
    CreateTags: createTags,
    CreateVolume: createVolume,
    DeleteLaunchTemplate: deleteLaunchTemplate,
    DeleteSnapshot: deleteSnapshot,
    DeleteTags: deleteTags,
    DeleteVolume: deleteVolume,
    DeregisterImage: deregisterImage,
    DescribeAvailabilityZones: describeAvailabilityZones,
    DescribeImages: describeImages,
    DescribeInstanceAttribute: describeInstanceAttribute,
    DescribeInstanceStatus: describeInstanceStatus,
    DescribeInstanceTypes: describeInstanceTypes,
    DescribeInstances: describeInstances,
    DescribeLaunchTemplates: describeLaunchTemplates,
    DescribeSnapshots: describeSnapshots,
    DescribeSpotInstanceRequests: describeSpotInstanceRequests,
    DescribeSpotPriceHistory: describeSpotPriceHistory,
    DescribeSubnets: describeSubnets,
    DescribeTags: describeTags,
    DescribeVolumes: describeVolumes,
    DetachVolume: detachVolume,
    DisableImage: disableImage,
    EnableImage: enableImage,
    ModifyInstanceAttribute: modifyInstanceAttribute,
    RebootInstances: rebootInstances,
    RunInstances: runInstances,
    StartInstances: startInstances,
    StopInstances: stopInstances,
    TerminateInstances: terminateInstances,
  }),
);
