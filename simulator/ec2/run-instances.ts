/**
 * RunInstances. The order of its checks: the request's form, its client token, the image, the place, the room. Nothing is
 * booked, the token neither, unless all of it succeeds.
 */
import type { Instance } from '../books/entities';
import { judgeToken, requestFingerprint, tokenKey } from '../instances/client-tokens';
import { invalid, missing } from './errors';
import { mismatch, spent } from './idempotency';
import { findLaunchableImage } from './image-catalog';
import { instanceXml } from './instance-xml';
import { readLaunchDisks } from './launch-disks';
import { draftInstances, refuseHibernation, spotTerms } from './launch-instances';
import { findPlace } from './launch-pools';
import { LAUNCH_PARAMETERS, readClientToken, readLaunch, readZone } from './launch-request';
import { withLaunchTemplate } from './launch-template-data';
import type { QueryParameters } from './query-parameters';
import { refuseDryRun } from './request';
import type { Ec2Action, Ec2Request } from './request';
import type { XmlElements } from './xml';

const MOST_AT_ONCE = 1000;

export const runInstances: Ec2Action = {
  parameters: [...LAUNCH_PARAMETERS, 'MinCount', 'MaxCount', 'ClientToken', 'DryRun', 'LaunchTemplate'],
  run(request) {
    const { cloud, region, parameters, now } = request;
    const counts = readCounts(parameters);
    const clientToken = readClientToken(parameters);
    const zones = cloud.market.zones(region);
    // What the template says counts for the place only, not for what the same request is.
    const key = clientToken === null ? null : tokenKey(clientToken, region, readZone(parameters, zones));
    const fingerprint = requestFingerprint(parameters.flat);
    const known = key === null ? null : launchedBefore(request, key, fingerprint);
    if (known) return reservationXml(request, known);
    const { parameters: merged, systemTags } = withLaunchTemplate(request);
    const wanted = readLaunch(merged, zones);
    const image = findLaunchableImage(cloud, region, wanted.imageId, now);
    const disks = readLaunchDisks({ ...request, parameters: merged }, image);
    refuseHibernation(wanted, disks);
    const spot = spotTerms(request, wanted);
    const place = findPlace(request, wanted, counts);
    refuseDryRun(parameters);
    const instances = draftInstances(request, { wanted, place, clientToken, systemTags });
    const instanceIds = instances.map(({ id }) => id);
    const launched = cloud.launch(
      [{ instances, disks, spot }],
      key === null ? [] : [['token', key, { fingerprint, instanceIds }]],
    );
    return reservationXml(request, launched);
  },
};

function readCounts(parameters: QueryParameters): { min: number; max: number } {
  const min = parameters.integer('MinCount', { min: 1, max: MOST_AT_ONCE });
  const max = parameters.integer('MaxCount', { min: 1, max: MOST_AT_ONCE });
  if (min === null) throw missing('MinCount');
  if (max === null) throw missing('MaxCount');
  if (min > max) throw invalid(`Min count ( ${min} ) must not be greater than max count ( ${max} )`);
  return { min, max };
}

/** What the token launched; null when it is new. @throws Ec2Error when it stands for something else, or is spent. */
function launchedBefore(
  { cloud, now }: Ec2Request,
  key: string,
  fingerprint: string,
): readonly Instance[] | null {
  const verdict = judgeToken(cloud.books.get('token', key), fingerprint, now, (id) =>
    cloud.books.get('instance', id),
  );
  switch (verdict.kind) {
    case 'new':
      return null;
    case 'same':
      return verdict.instances;
    case 'mismatch':
      throw mismatch();
    case 'terminated':
      throw spent(verdict.instanceIds);
  }
}

function reservationXml({ cloud }: Ec2Request, instances: readonly Instance[]): XmlElements {
  return {
    reservationId: instances[0]?.reservationId,
    ownerId: cloud.accountId,
    groupSet: [],
    instancesSet: instances.map((instance) => instanceXml(cloud, instance)),
  };
}
