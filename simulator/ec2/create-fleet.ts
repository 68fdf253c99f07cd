/**
 * CreateFleet of type `instant`: one call, all it can get now, what failed beside what was bought. The token stands for the
 * fleet whatever came of it, so what failed once fails the same way again under it.
 */
import { randomUUID } from 'node:crypto';
import type { BooksPut } from '../books/books';
import type { Instance } from '../books/entities';
import type { Fleet, FleetTry } from '../books/launch-entities';
import { requestFingerprint } from '../instances/client-tokens';
import { buyPart } from './fleet-purchase';
import type { Outcome } from './fleet-purchase';
import { readFleet } from './fleet-request';
import { mismatch } from './idempotency';
import { readClientToken } from './launch-request';
import { refuseDryRun } from './request';
import type { Ec2Action, Ec2Request } from './request';
import { readTagSpecifications } from './tags';
import type { XmlElements } from './xml';

export const createFleet: Ec2Action = {
  parameters: [
    ...['LaunchTemplateConfigs', 'TargetCapacitySpecification', 'SpotOptions', 'OnDemandOptions', 'Type'],
    ...['ClientToken', 'TagSpecification', 'DryRun'],
    // Of fleets that go on, or without effect here.
    ...['ExcessCapacityTerminationPolicy', 'TerminateInstancesWithExpiration', 'ValidFrom', 'ValidUntil'],
    ...['ReplaceUnhealthyInstances', 'Context', 'ReservedCapacityOptions'],
  ],
  run(request) {
    const { cloud, region, parameters, now } = request;
    const token = readClientToken(parameters);
    const key = token === null ? null : `CreateFleet/${region}/${token}`;
    const fingerprint = requestFingerprint(parameters.flat);
    const use = key === null ? undefined : cloud.books.get('token', key);
    if (use && use.fingerprint !== fingerprint) throw mismatch();
    const known = use && cloud.books.get('fleet', use.instanceIds[0] ?? '');
    if (known) return fleetXml(known);
    readTagSpecifications(parameters, 'fleet', [
      'instance',
      'volume',
      'network-interface',
      'spot-instances-request',
    ]);
    const wanted = readFleet(request);
    refuseDryRun(parameters);
    const fleetId = `fleet-${randomUUID()}`;
    const taken: Instance[] = [];
    const outcomes = wanted.parts.map((part): Outcome => {
      const outcome = buyPart(request, part, wanted.candidates, { fleetId, taken });
      taken.push(...outcome.purchases.flatMap(({ instances }) => instances));
      return outcome;
    });
    const tried = outcomes.flatMap(({ purchases, failures }) => [
      ...purchases.map((purchase) => purchase.tried),
      ...failures,
    ]);
    const fleet: Fleet = { id: fleetId, region, createdAt: now, tried };
    const also: BooksPut[] = [['fleet', fleetId, fleet]];
    if (key !== null) also.push(['token', key, { fingerprint, instanceIds: [fleetId] }]);
    book(request, outcomes, also);
    return fleetXml(fleet);
  },
};

/** All in one transaction. */
function book({ cloud, now }: Ec2Request, outcomes: readonly Outcome[], also: readonly BooksPut[]): void {
  const purchases = outcomes.flatMap((outcome) => outcome.purchases);
  if (purchases.length === 0) cloud.books.commit(now, also);
  else cloud.launch(purchases, also);
}

function fleetXml({ id, tried }: Fleet): XmlElements {
  return {
    fleetId: id,
    fleetInstanceSet: tried
      .filter(({ error }) => error === null)
      .map((one) => ({
        ...triedXml(one),
        instanceIds: one.instanceIds,
        instanceType: one.instanceType,
        availabilityZone: one.zone,
      })),
    errorSet: tried.flatMap((one) =>
      one.error ? [{ ...triedXml(one), errorCode: one.error.code, errorMessage: one.error.message }] : [],
    ),
  };
}

function triedXml({ option, templateId, templateVersion, override }: FleetTry): XmlElements {
  return {
    launchTemplateAndOverrides: {
      launchTemplateSpecification: { launchTemplateId: templateId, version: templateVersion },
      overrides: Object.fromEntries(
        Object.entries(override).map(([name, value]) => [
          name.charAt(0).toLowerCase() + name.slice(1),
          value,
        ]),
      ),
    },
    lifecycle: option === 'spot' ? 'spot' : 'on-demand',
  };
}
