/** What an instance's metadata service holds, as a tree: a text is a document, a folder lists its names. */
import type { Cloud } from '../cloud';
import type { Instance } from '../books/entities';
import { publicName } from '../ec2/instance-xml';

export type MetadataNode = string | MetadataFolder;
export interface MetadataFolder {
  readonly [name: string]: MetadataNode | undefined;
}

export function metadataTree(cloud: Cloud, instance: Instance): MetadataFolder {
  const { clock } = cloud;
  const localName = `ip-${instance.privateIp.replaceAll('.', '-')}.${instance.region}.compute.internal`;
  return {
    'meta-data': {
      'ami-id': instance.imageId,
      'ami-launch-index': String(instance.launchIndex),
      hostname: localName,
      'instance-id': instance.id,
      'instance-life-cycle': instance.option === 'spot' ? 'spot' : 'on-demand',
      'instance-type': instance.instanceType,
      'local-hostname': localName,
      'local-ipv4': instance.privateIp,
      'public-hostname': publicName(instance),
      'public-ipv4': instance.publicIp,
      'reservation-id': instance.reservationId,
      placement: { 'availability-zone': instance.zone, region: instance.region },
      services: { domain: 'amazonaws.com', partition: 'aws' },
      events:
        instance.rebalanceAt === null
          ? undefined
          : {
              recommendations: {
                rebalance: JSON.stringify({ noticeTime: utcSecond(clock.wallAt(instance.rebalanceAt)) }),
              },
            },
      spot:
        instance.notice === null
          ? undefined
          : {
              'instance-action': JSON.stringify({
                action: instance.notice.action,
                time: utcSecond(clock.wallAt(instance.notice.deadline)),
              }),
              'termination-time': utcSecond(clock.wallAt(instance.notice.deadline)),
            },
    },
    'user-data': instance.userData === null ? undefined : decode(instance.userData),
    dynamic: {
      'instance-identity': {
        document: JSON.stringify(
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
            pendingTime: utcSecond(clock.wallAt(instance.launchedAt)),
            privateIp: instance.privateIp,
            ramdiskId: null,
            region: instance.region,
            version: '2017-09-30',
          },
          null,
          2,
        ),
      },
    },
  };
}

/** The node at a path of names; undefined when there is none. */
export function findNode(tree: MetadataFolder, names: readonly string[]): MetadataNode | undefined {
  let node: MetadataNode | undefined = tree;
  for (const name of names) {
    if (typeof node !== 'object' || !Object.hasOwn(node, name)) return undefined;
    node = node[name];
  }
  return node;
}

export function renderNode(node: MetadataNode): string {
  if (typeof node === 'string') return node;
  return Object.entries(node)
    .filter(([, child]) => child !== undefined)
    .map(([name, child]) => (typeof child === 'object' ? `${name}/` : name))
    .join('\n');
}

/** To the second before: who relies on a deadline never gets less time than it names. */
function utcSecond(moment: Date): string {
  return `${moment.toISOString().slice(0, 19)}Z`;
}

/** User data as it was before base64; bytes that are no text pass as Latin-1 and are written back as such. */
function decode(userData: string): string {
  return Buffer.from(userData, 'base64').toString('latin1');
}
