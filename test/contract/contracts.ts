/** All contracts, by name, and how a cloud is held to them. */
import type { CloudUnderTest } from './cloud-under-test';
import { clientTokenContracts } from './client-token-contracts';
import { fleetContracts } from './fleet-contracts';
import { identityContracts } from './identity-contracts';
import { imageContracts } from './image-contracts';
import { instanceContracts } from './instance-contracts';
import { marketContracts } from './market-contracts';
import { powerContracts } from './power-contracts';
import { snapshotContracts } from './snapshot-contracts';
import { spotRequestContracts } from './spot-request-contracts';
import { terminationContracts } from './termination-contracts';
import { volumeContracts } from './volume-contracts';

/** What AWS does, as assertions: by a name that says it. */
export type Contracts = Record<string, (cloud: CloudUnderTest) => Promise<void>>;

export interface Difference {
  /** What the cloud does instead. */
  instead: string;
  /** The AWS document that shows who is right: its title, and its address or section. */
  document: string;
}

const CONTRACTS: Record<string, Contracts> = {
  'client tokens': clientTokenContracts,
  fleets: fleetContracts,
  identity: identityContracts,
  images: imageContracts,
  instances: instanceContracts,
  market: marketContracts,
  'stop and start': powerContracts,
  snapshots: snapshotContracts,
  'spot requests': spotRequestContracts,
  termination: terminationContracts,
  volumes: volumeContracts,
};

/**
 * Registers a test a contract. One that the cloud is known to break runs all the same and has to fail: when the cloud
 * has mended it, its entry is stale and fails the run.
 */
export function holdTo(cloud: () => CloudUnderTest, differences: Record<string, Difference> = {}): void {
  const known = new Set<string>();
  for (const [subject, contracts] of Object.entries(CONTRACTS)) {
    describe(subject, () => {
      for (const [name, run] of Object.entries(contracts)) {
        known.add(`${subject}: ${name}`);
        const differs = differences[`${subject}: ${name}`] !== undefined;
        if (differs) test.failing(`(differs) ${name}`, () => run(cloud()));
        else test(name, () => run(cloud()));
      }
    });
  }
  test('every known difference is of a contract', () => {
    expect(Object.keys(differences).filter((name) => !known.has(name))).toEqual([]);
  });
}

/** How many there are. */
export function contractCount(): number {
  return Object.values(CONTRACTS).reduce((sum, contracts) => sum + Object.keys(contracts).length, 0);
}
