/** DisableImage and EnableImage: whether an image can be launched and is shown to everyone who asks. */
import { imageState } from '../storage/states';
import { Ec2Error, missing } from './errors';
import { findOwnImage } from './image-catalog';
import { refuseDryRun } from './request';
import type { Ec2Action } from './request';

export const disableImage = switching(true);
export const enableImage = switching(false);

function switching(disabled: boolean): Ec2Action {
  return {
    parameters: ['ImageId', 'DryRun'],
    run({ cloud, region, parameters, now }) {
      const id = parameters.text('ImageId');
      if (id === null) throw missing('ImageId');
      const image = findOwnImage(cloud, region, id);
      const state = imageState(image, now);
      if (state !== 'available' && state !== 'disabled') {
        throw new Ec2Error('InvalidAMIID.Unavailable', `The image ID '${id}' is in the state '${state}'`);
      }
      refuseDryRun(parameters);
      if (image.disabled !== disabled) cloud.storage.images.setDisabled(image, disabled, now);
      return { return: true };
    },
  };
}
