import type { Volume } from '../books/entities';
import { newId } from '../ids';
import { LONGEST_TOKEN, requestFingerprint } from '../instances/client-tokens';
import { VOLUME_TYPES, volumeKind } from '../storage/volume-types';
import { Ec2Error, invalid, missing } from './errors';
import { refuseDryRun } from './request';
import type { Ec2Action, Ec2Request } from './request';
import { findCompletedSnapshot } from './snapshot-lookup';
import { readTagSpecifications } from './tags';
import { findVolume } from './volume-lookup';
import { volumeXml } from './volume-xml';
import type { XmlElements } from './xml';
import { zoneId } from './describe-availability-zones';

/** Empty or of a snapshot, in one zone for good. A client token stands for one volume, whatever has become of it. */
export const createVolume: Ec2Action = {
  parameters: [
    ...['AvailabilityZone', 'AvailabilityZoneId', 'Size', 'SnapshotId', 'VolumeType', 'Iops', 'Throughput'],
    ...['Encrypted', 'KmsKeyId', 'TagSpecification', 'ClientToken', 'DryRun', 'MultiAttachEnabled'],
    ...['OutpostArn', 'VolumeInitializationRate', 'Operator'],
  ],
  run(request) {
    const { cloud, region, parameters, now } = request;
    const key = tokenKey(request);
    const fingerprint = requestFingerprint(parameters.flat);
    const use = key === null ? undefined : cloud.books.get('token', key);
    if (use && use.fingerprint !== fingerprint) {
      throw new Ec2Error(
        'IdempotentParameterMismatch',
        'Arguments on this idempotent request are inconsistent with arguments used in previous request(s).',
      );
    }
    if (use) return shown(request, findVolume(cloud, region, use.instanceIds[0] ?? ''));
    const draft = readVolume(request);
    refuseDryRun(parameters);
    const volume = cloud.storage.volumes.create(
      { ...draft, createdAt: now },
      key === null ? [] : [['token', key, { fingerprint, instanceIds: [draft.id] }]],
    );
    cloud.advance();
    return shown(request, volume);
  },
};

function tokenKey({ region, parameters }: Ec2Request): string | null {
  const token = parameters.text('ClientToken');
  if (token === null) return null;
  if (token.length > LONGEST_TOKEN || !/^[\x20-\x7e]+$/.test(token)) {
    throw invalid(
      `Invalid value '${token}' for ClientToken. It takes up to ${LONGEST_TOKEN} ASCII characters`,
    );
  }
  return `CreateVolume/${region}/${token}`;
}

type Draft = Omit<Volume, 'createdAt' | 'availableAt' | 'attachment' | 'goneAt'>;

function readVolume(request: Ec2Request): Draft {
  const { cloud, region, parameters, now } = request;
  const zone = readZone(request);
  const snapshotId = parameters.text('SnapshotId');
  const size = parameters.integer('Size', { min: 1, max: 65_536 });
  if (parameters.boolean('MultiAttachEnabled') === true)
    throw new Ec2Error('UnsupportedOperation', 'Multi-Attach is not simulated.');
  const type = parameters.choice('VolumeType', VOLUME_TYPES) ?? 'gp2';
  const iops = parameters.integer('Iops', { min: 1, max: 1_000_000 });
  const throughput = parameters.integer('Throughput', { min: 1, max: 1_000_000 });
  const encrypted = parameters.boolean('Encrypted');
  const tags = readTagSpecifications(parameters, 'volume', []);
  const snapshot = snapshotId === null ? null : findCompletedSnapshot(cloud, region, snapshotId, now);
  const sizeGib = size ?? snapshot?.sizeGib;
  if (sizeGib === undefined) throw missing('size/snapshot');
  if (snapshot && sizeGib < snapshot.sizeGib) {
    throw invalid(
      `Invalid value '${sizeGib}' for size. The volume must be at least as large as its snapshot: ${snapshot.sizeGib}GiB.`,
    );
  }
  if (encrypted === false && snapshot?.encrypted)
    throw invalid('A volume of an encrypted snapshot is always encrypted.');
  const kind = volumeKind({
    sizeGib,
    type,
    iops,
    throughput,
    encrypted: encrypted ?? snapshot?.encrypted ?? false,
  });
  if (typeof kind === 'string') throw invalid(kind);
  return { ...kind, id: newId('vol'), region, zone, snapshotId, tags };
}

function readZone({ cloud, region, parameters }: Ec2Request): string {
  const name = parameters.text('AvailabilityZone');
  const id = parameters.text('AvailabilityZoneId');
  if (name === null && id === null) throw missing('AvailabilityZone');
  if (name !== null && id !== null) {
    throw new Ec2Error(
      'InvalidParameterCombination',
      'The parameters AvailabilityZone and AvailabilityZoneId exclude each other.',
    );
  }
  const zone = cloud.market.zones(region).find((known) => known === name || zoneId(known, region) === id);
  if (zone === undefined) {
    throw new Ec2Error('InvalidZone.NotFound', `The zone '${name ?? id}' does not exist.`);
  }
  return zone;
}

function shown({ cloud }: Ec2Request, volume: Volume): XmlElements {
  return { ...volumeXml(cloud, volume), attachmentSet: null };
}
