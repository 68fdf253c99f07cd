/** The disks of a launch: the image's, as the request's BlockDeviceMapping changes them, with the tags for volumes. */
import type { Image } from '../books/entities';
import type { LaunchDisks } from '../storage/disks';
import { mergeBlockDevices, readBlockDeviceMapping } from './block-device-mapping';
import type { Ec2Request } from './request';
import { findCompletedSnapshot } from './snapshot-lookup';
import { readTagSpecifications } from './tags';

/** What else a launch makes and can tag. */
const OTHER_TAGGED = ['instance', 'network-interface', 'spot-instances-request', 'elastic-gpu'];

/** @throws Ec2Error InvalidBlockDeviceMapping, or what is wrong with a snapshot. */
export function readLaunchDisks(
  { cloud, region, parameters, now }: Ec2Request,
  image: Pick<Image, 'disks'>,
): LaunchDisks {
  const disks = mergeBlockDevices(image.disks, readBlockDeviceMapping(parameters), (id) =>
    findCompletedSnapshot(cloud, region, id, now),
  );
  return { disks, tags: readTagSpecifications(parameters, 'volume', OTHER_TAGGED) };
}
