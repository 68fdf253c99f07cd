/** What answers on the ports: AWS's services, the metadata service, and the control API over both. */
import type { Identity } from './books/entities';
import type { Cloud } from './cloud';
import { CallLog } from './control/call-log';
import { ControlEndpoint } from './control/control-endpoint';
import { Faults } from './control/faults';
import { Ec2Service } from './ec2/ec2-service';
import { IdentitySigner } from './metadata/identity-signer';
import { MetadataEndpoint } from './metadata/metadata-endpoint';
import { MetadataFaults } from './metadata/metadata-faults';
import { MetadataTokens } from './metadata/metadata-tokens';
import { RoleCredentials } from './metadata/role-credentials';
import type { Options } from './options';
import { PricingService } from './pricing/pricing-service';
import { Delays } from './services/delays';
import { Permissions } from './services/permissions';
import { ServiceEndpoint } from './services/service-endpoint';
import { Throttle } from './services/throttle';
import { SessionCredentials } from './sts/session-credentials';
import { StsService } from './sts/sts-service';

export function openServices({
  cloud,
  identity,
  options,
  onError,
}: {
  cloud: Cloud;
  identity: Identity;
  options: Options;
  onError: (error: unknown) => void;
}) {
  const { books, clock } = cloud;
  const realSeconds = () => clock.now() / clock.speed;
  const sessions = new SessionCredentials(identity.metadataSecret);
  const signer = IdentitySigner.of(books);
  const delays = new Delays(books, Math.random);
  const throttle = new Throttle(books, realSeconds, options.throttle);
  const calls = new CallLog();
  const faults = new Faults(books);
  const permissions = new Permissions(books);
  const metadataTokens = new MetadataTokens(identity.metadataSecret, books, realSeconds);
  const metadataFaults = new MetadataFaults(books);
  const endpoint = new ServiceEndpoint({
    books,
    services: {
      ec2: new Ec2Service(cloud),
      sts: new StsService(cloud, sessions),
      pricing: new PricingService(cloud.market),
    },
    callers: { accountId: cloud.accountId, sessions, now: () => clock.now() },
    ...{ calls, faults, delays, throttle, permissions, onError },
  });
  const metadata = new MetadataEndpoint({
    sources: { cloud, signer, roles: new RoleCredentials(cloud, sessions) },
    tokens: metadataTokens,
    faults: metadataFaults,
    ...{ cloud, delays, onError },
  });
  const parts = {
    cloud,
    calls,
    faults,
    delays,
    throttle,
    permissions,
    metadataFaults,
    metadataTokens,
    signer,
  };
  return { endpoint, metadata, control: new ControlEndpoint(parts, onError), delays, signer };
}
