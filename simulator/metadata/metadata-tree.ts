/** What an instance's metadata service holds, as a tree: a document is a text, bytes, or what makes it; a folder lists its names. */
import type { Instance } from '../books/entities';
import type { Cloud } from '../cloud';
import { zoneId } from '../ec2/describe-availability-zones';
import { publicName } from '../ec2/instance-xml';
import { identityFolder } from './identity-document';
import type { IdentitySigner } from './identity-signer';
import type { RoleCredentials } from './role-credentials';
import { utcSecond } from './utc-second';

export type MetadataNode = string | Buffer | (() => string) | MetadataFolder;
export interface MetadataFolder {
  readonly [name: string]: MetadataNode | undefined;
}

export interface MetadataSources {
  readonly cloud: Cloud;
  readonly signer: IdentitySigner;
  readonly roles: RoleCredentials;
}

export function metadataTree(sources: MetadataSources, instance: Instance): MetadataFolder {
  const { cloud, signer } = sources;
  return {
    'meta-data': instanceFolder(sources, instance),
    'user-data': instance.userData === null ? undefined : Buffer.from(instance.userData, 'base64'),
    dynamic: { 'instance-identity': identityFolder(cloud, instance, signer) },
  };
}

function instanceFolder({ cloud, roles }: MetadataSources, instance: Instance): MetadataFolder {
  const { clock } = cloud;
  const { privateIp, region, instanceProfile: profile } = instance;
  const localName = `ip-${privateIp.replaceAll('.', '-')}.${region}.compute.internal`;
  const mac = macOf(privateIp);
  return {
    'ami-id': instance.imageId,
    'ami-launch-index': String(instance.launchIndex),
    'ami-manifest-path': '(unknown)',
    'block-device-mapping': deviceFolder(instance),
    events:
      instance.rebalanceAt === null
        ? undefined
        : {
            recommendations: {
              rebalance: JSON.stringify({ noticeTime: utcSecond(clock.wallAt(instance.rebalanceAt)) }),
            },
          },
    hostname: localName,
    iam:
      profile === null
        ? undefined
        : {
            info: () => roles.info(profile),
            'security-credentials': { [profile]: () => roles.credentials(instance, profile) },
          },
    'instance-action': 'none',
    'instance-id': instance.id,
    'instance-life-cycle': instance.option === 'spot' ? 'spot' : 'on-demand',
    'instance-type': instance.instanceType,
    'local-hostname': localName,
    'local-ipv4': privateIp,
    mac,
    network: {
      interfaces: {
        macs: {
          [mac]: {
            'device-number': '0',
            'local-hostname': localName,
            'local-ipv4s': privateIp,
            mac,
            'owner-id': cloud.accountId,
            'public-hostname': publicName(instance),
            'public-ipv4s': instance.publicIp,
          },
        },
      },
    },
    placement: {
      'availability-zone': instance.zone,
      'availability-zone-id': zoneId(instance.zone, region),
      region,
    },
    profile: 'default-hvm',
    'public-hostname': publicName(instance),
    'public-ipv4': instance.publicIp,
    'reservation-id': instance.reservationId,
    services: { domain: 'amazonaws.com', partition: 'aws' },
    spot: spotFolder(cloud, instance),
    tags: instance.metadataTags ? { instance: instance.tags } : undefined,
  };
}

/**
 * The notice while there is one. The legacy time stays when the instance survived its notice (stopped or hibernated, and
 * back): AWS warns that it may be in the past.
 */
function spotFolder({ clock }: Cloud, { notice, lastTerminationTime }: Instance): MetadataFolder | undefined {
  const deadline = notice?.deadline ?? lastTerminationTime;
  if (deadline === null) return undefined;
  const time = utcSecond(clock.wallAt(deadline));
  return {
    'instance-action': notice ? JSON.stringify({ action: notice.action, time }) : undefined,
    'termination-time': time,
  };
}

function deviceFolder({ devices }: Instance): MetadataFolder | undefined {
  const [root, ...others] = devices;
  if (!root) return undefined;
  const more = others.map(({ name }, index) => [`ebs${index + 1}`, name.replace('/dev/', '')] as const);
  return { ami: root.name, ...Object.fromEntries(more), root: root.name };
}

function macOf(privateIp: string): string {
  const bytes = privateIp.split('.').map((byte) => Number(byte).toString(16).padStart(2, '0'));
  return ['0a', 'ff', ...bytes].join(':');
}

/** The node at a path of names; undefined when there is none. */
export function findNode(tree: MetadataFolder, names: readonly string[]): MetadataNode | undefined {
  let node: MetadataNode | undefined = tree;
  for (const name of names) {
    if (!isFolder(node) || !Object.hasOwn(node, name)) return undefined;
    node = node[name];
  }
  return node;
}

export function renderNode(node: MetadataNode): string | Buffer {
  if (typeof node === 'string' || Buffer.isBuffer(node)) return node;
  if (typeof node === 'function') return node();
  return Object.entries(node)
    .filter(([, child]) => child !== undefined)
    .map(([name, child]) => (isFolder(child) ? `${name}/` : name))
    .join('\n');
}

function isFolder(node: MetadataNode | undefined): node is MetadataFolder {
  return typeof node === 'object' && !Buffer.isBuffer(node);
}
