import { newId } from '../ids';
import type { Image } from '../books/entities';
import { isActive } from '../instances/lifecycle';
import { Ec2Error, invalid } from './errors';
import { findInstances } from './instance-lookup';
import { refuseDryRun } from './request';
import type { Ec2Action } from './request';
import { readTagSpecifications } from './tags';

/** Reboots the instance unless NoReboot, takes the disk as it is now, and is pending for a while. */
export const createImage: Ec2Action = {
  parameters: [
    'InstanceId',
    'Name',
    'Description',
    'NoReboot',
    'DryRun',
    'TagSpecification',
    'BlockDeviceMapping',
    'SnapshotLocation',
    'BootModeOverride',
  ],
  run({ cloud, region, parameters, now }) {
    const name = parameters.required('Name');
    if (!/^[\w()[\] ./'@-]{3,128}$/.test(name)) {
      throw new Ec2Error(
        'InvalidAMIName.Malformed',
        "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', ')', '.', '-', '/' and '_'",
      );
    }
    const description = parameters.text('Description');
    if (description !== null && description.length > 255)
      throw invalid('Character sets beyond 255 are not supported.');
    const noReboot = parameters.boolean('NoReboot') ?? false;
    const tags = readTagSpecifications(parameters, 'image', ['snapshot']);
    const instanceId = parameters.required('InstanceId');
    const instance = findInstances(cloud, region, [instanceId])[0];
    if (!instance || !isActive(instance)) {
      throw new Ec2Error(
        'IncorrectInstanceState',
        `Instance '${instanceId}' is not in state 'running' or 'stopped'; an image can't be made of it`,
      );
    }
    const namesake = cloud.books.all('image').find((image) => image.region === region && image.name === name);
    if (namesake) {
      throw new Ec2Error(
        'InvalidAMIName.Duplicate',
        `AMI name ${name} is already in use by AMI ${namesake.id}`,
      );
    }
    refuseDryRun(parameters);
    const image: Image = {
      id: newId('ami'),
      region,
      name,
      description,
      sourceInstanceId: instanceId,
      tags,
      createdAt: now,
      availableAt: now + cloud.draw('image'),
      disabled: false,
      disks: cloud.storage.disksOf(instance),
    };
    cloud.files.capture(instanceId, image.id);
    cloud.addImage(image);
    if (!noReboot) cloud.machines.reboot(instanceId);
    return { imageId: image.id };
  },
};
