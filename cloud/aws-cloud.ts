/** The AWS adapter of the port: one capability a file, put together here. */
import { type AwsClients, type AwsCloudOptions, createAwsClients } from './aws-clients';
import { AwsIdentity } from './aws-identity';
import { AwsImages } from './aws-images';
import { AwsInstances } from './aws-instances';
import { AwsMarket } from './aws-market';
import { AwsSnapshots } from './aws-snapshots';
import { AwsSpotRequests } from './aws-spot-requests';
import { AwsVolumes } from './aws-volumes';
import type { CloudPort } from './cloud-port';

/** The adapter for one account in one region. Close it with `destroy()`. */
export class AwsCloud implements CloudPort {
  readonly instances: AwsInstances;
  readonly images: AwsImages;
  readonly snapshots: AwsSnapshots;
  readonly volumes: AwsVolumes;
  readonly spotRequests: AwsSpotRequests;
  readonly market: AwsMarket;
  readonly identity: AwsIdentity;
  readonly #clients: AwsClients;

  constructor(options: AwsCloudOptions) {
    const clients = createAwsClients(options);
    this.#clients = clients;
    this.instances = new AwsInstances(clients);
    this.images = new AwsImages(clients);
    this.snapshots = new AwsSnapshots(clients);
    this.volumes = new AwsVolumes(clients);
    this.spotRequests = new AwsSpotRequests(clients);
    this.market = new AwsMarket(clients);
    this.identity = new AwsIdentity(clients);
  }

  destroy(): void {
    this.#clients.destroy();
  }
}
