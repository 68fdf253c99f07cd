/** An instance's identity document and its signatures, made when asked for. */
import type { Instance } from '../books/entities';
import type { Cloud } from '../cloud';
import type { IdentitySigner } from './identity-signer';
import type { MetadataFolder } from './metadata-tree';
import { utcSecond } from './utc-second';

export function identityFolder(cloud: Cloud, instance: Instance, signer: IdentitySigner): MetadataFolder {
  const document = identityDocument(cloud, instance);
  const signed = () => signer.signedData(document);
  return { document, pkcs7: signed, rsa2048: signed, signature: () => signer.signature(document) };
}

function identityDocument(cloud: Cloud, instance: Instance): string {
  return JSON.stringify(
    {
      accountId: cloud.accountId,
      architecture: 'x86_64',
      availabilityZone: instance.zone,
      billingProducts: null,
      devpayProductCodes: null,
      marketplaceProductCodes: null,
      imageId: instance.imageId,
      instanceId: instance.id,
      instanceType: instance.instanceType,
      kernelId: null,
      pendingTime: utcSecond(cloud.clock.wallAt(instance.launchedAt)),
      privateIp: instance.privateIp,
      ramdiskId: null,
      region: instance.region,
      version: '2017-09-30',
    },
    null,
    2,
  );
}
