/** How the control API shows things. */
import type { Instance } from '../books/entities';
import type { Cloud } from '../cloud';

export function describeInstance(cloud: Cloud, instance: Instance) {
  const { clock, machines } = cloud;
  const metadataPort = machines.metadataPort(instance.id);
  return {
    instance_id: instance.id,
    state: instance.state,
    region: instance.region,
    zone: instance.zone,
    instance_type: instance.instanceType,
    option: instance.option,
    image_id: instance.imageId,
    tags: instance.tags,
    client_token: instance.clientToken,
    launch_time: clock.wallAt(instance.launchedAt).toISOString(),
    notice: instance.notice && {
      action: instance.notice.action,
      time: clock.wallAt(instance.notice.deadline).toISOString(),
    },
    end_reason: instance.endReason?.code ?? null,
    metadata_url: metadataPort === null ? null : `http://127.0.0.1:${metadataPort}`,
    agent_pid: machines.agentPid(instance.id),
    agent_home: cloud.files.agentHome(instance.id),
  };
}

export function describeMarket(cloud: Cloud) {
  const now = cloud.clock.now();
  return {
    market: cloud.market.name,
    regions: cloud.market.regions(),
    ...describeTime(cloud),
    pools: cloud.market.pools().map((pool) => ({
      region: pool.region,
      zone: pool.zone,
      instance_type: pool.instanceType,
      spot_available: cloud.isAvailable(pool, 'spot', now),
      ondemand_available: cloud.isAvailable(pool, 'ondemand', now),
      spot_price_usd_per_hour: cloud.market.spotPrice(pool, now),
      ondemand_price_usd_per_hour: pool.onDemandPrice,
    })),
  };
}

export function describeTime({ clock }: Cloud) {
  return { cloud_seconds: clock.now(), speed: clock.speed, paused: clock.paused };
}
