/** The EC2 steps of one account in one region. */
import { createHash } from 'node:crypto';
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import { CloudError, type CloudPort, type Ec2InstanceState, type LaunchSpec } from '../cloud/cloud-port';
import type {
  Ec2Activities,
  InstanceAddress,
  InstanceSighting,
  LaunchRequest,
  TerminationResult,
} from '../contracts/activities';
import { failureTypes } from '../contracts/activities';
import { poolId } from '../contracts/states';
import type { UserData } from '../contracts/user-data';
import type { Db } from '../db/connect';
import {
  agentOn,
  confirmTerminated,
  markSeen,
  markTerminationAttempt,
  notFoundMeansGone,
  writeInstance,
} from '../db/instances';
import { settleLaunchIntent, writeLaunchIntent } from '../db/launch-intents';
import { writeEvents } from '../db/system-events';
import { choosePools } from '../policy/pool-choice';
import { ec2Step } from './cloud-failures';

export interface Ec2Dependencies {
  cloud: CloudPort;
  db: Db;
  /** Where launched agents find the API. */
  apiPublicUrl: string;
}

/** The tag by which a launch whose answer was lost is found again. */
const LAUNCH_TAG = 'spotkeeper:launch-id';

const SIGHTINGS: Record<Ec2InstanceState, InstanceSighting> = {
  pending: 'running',
  running: 'running',
  stopping: 'stopped',
  stopped: 'stopped',
  'shutting-down': 'gone',
  terminated: 'gone',
};

/** How soon EC2 is asked again whether an instance has ended. */
const PROOF_INTERVAL = '2 s';

export function createEc2Activities({ cloud, db, apiPublicUrl }: Ec2Dependencies): Ec2Activities {
  return {
    planSwitch: (request) =>
      ec2Step(async () => {
        const { from } = request;
        const [zones, prices, image] = await Promise.all([
          cloud.zones(),
          cloud.spotPrices(from.instanceType),
          cloud.newestImage(agentTags(request)),
        ]);
        const imageId = image ?? from.imageId;
        if (imageId === null) {
          const reason = `Agent ${request.agentId} has no image to launch from: ${from.instanceId} named none when it registered, and none is tagged for the agent.`;
          throw ApplicationFailure.nonRetryable(reason, failureTypes.never);
        }
        const pools = choosePools(
          { ...request, current: { instanceType: from.instanceType, zone: from.zone, option: from.mode } },
          {
            instanceType: from.instanceType,
            zones,
            spotPrices: new Map(prices.map(({ zone, priceUsdPerHour }) => [zone, priceUsdPerHour])),
          },
        );
        return { pools, imageId, reason: `${pools.length} pools, cheapest spot first, on-demand last` };
      }),

    launchInstance: (request) => ec2Step(() => launch(request)),

    findLaunch: ({ launchId }) =>
      ec2Step(async () => {
        const found = await cloud.findByTag(LAUNCH_TAG, launchId);
        if (found)
          await settleLaunchIntent(db, launchId, { outcome: 'launched', instanceId: found.instanceId });
        return { instanceId: found?.instanceId ?? null };
      }),

    lookUpInstance: ({ clientId, instanceId }) =>
      ec2Step(async () => {
        try {
          const found = await cloud.instanceState(instanceId);
          if (found === null) return { sighting: 'not_found' as const, message: 'it knows no such instance' };
          await markSeen(db, clientId, instanceId);
          return {
            sighting: SIGHTINGS[found.state],
            message: `${found.state}${found.reason && ` (${found.reason})`}`,
          };
        } catch (error) {
          if (error instanceof CloudError) return { sighting: 'unknown' as const, message: error.message };
          throw error;
        }
      }),

    terminateInstance: (request) => ec2Step(() => terminate(request)),

    proveTerminated: (request) =>
      ec2Step(async () => {
        const { clientId, agentId, instanceId } = request;
        const found = await cloud.instanceState(instanceId);
        if (found) await markSeen(db, clientId, instanceId);
        const ended = found
          ? found.state === 'terminated'
          : await notFoundMeansGone(db, clientId, instanceId);
        if (!ended) {
          const state = found
            ? found.state
            : 'not to be found, which proves nothing of an instance never seen';
          throw ApplicationFailure.create({
            type: failureTypes.notTerminatedYet,
            category: ApplicationFailureCategory.BENIGN, // The usual course: EC2 takes its time.
            message: `EC2 says ${instanceId} is ${state}.`,
            nextRetryDelay: PROOF_INTERVAL,
          });
        }
        await confirmTerminated(db, clientId, instanceId);
        const message = `Instance ${instanceId} is terminated: EC2 ${found ? `says so (${found.reason})` : 'does not know it any more'}.`;
        await writeEvents(db, clientId, agentId, [
          {
            key: `${instanceId}:terminated`,
            eventType: 'instance_terminated',
            severity: 'info',
            instanceId,
            message,
            details: {},
          },
        ]);
        return { message };
      }),
  };

  async function launch(request: LaunchRequest) {
    const { launchId, pool, clientId, agentId } = request;
    const planned = { clientToken: clientTokenOf(request), userData: userDataOf(request) };
    const { clientToken, imageId, userData } = await writeLaunchIntent(db, request, planned);
    try {
      const tags = {
        Name: `spotkeeper ${request.logicalAgentId}`,
        ...agentTags(request),
        [LAUNCH_TAG]: launchId,
      };
      const { instanceId } = await launchOrAdopt({ clientToken, imageId, pool, userData, tags });
      await settleLaunchIntent(db, launchId, { outcome: 'launched', instanceId });
      await writeInstance(db, clientId, agentId, {
        facts: {
          instanceId,
          instanceType: pool.instanceType,
          zone: pool.zone,
          region: request.region,
          mode: pool.option,
          imageId: request.imageId,
          accountId: request.accountId,
          hostname: null,
          privateIp: null,
          publicIp: null,
          agentVersion: null,
        },
        status: 'launching',
        incarnation: request.toIncarnation,
        launchId,
        registeredAt: null,
        zombieSince: null,
      });
      await markSeen(db, clientId, instanceId);
      return { outcome: 'launched' as const, instanceId };
    } catch (error) {
      if (!(error instanceof CloudError)) throw error;
      if (error.kind === 'no_capacity') {
        await settleLaunchIntent(db, launchId, { outcome: 'no_capacity', error: error.message });
        return { outcome: 'no_capacity' as const, message: error.message };
      }
      if (error.kind === 'not_permitted' || error.kind === 'never') {
        await settleLaunchIntent(db, launchId, { outcome: 'failed', error: error.message });
      }
      throw error;
    }
  }

  /** A release may send a launch otherwise than the one before it did: what that one launched is taken over. */
  async function launchOrAdopt(spec: LaunchSpec): Promise<{ instanceId: string }> {
    try {
      return await cloud.launch(spec);
    } catch (error) {
      if (!(error instanceof CloudError) || error.code !== 'IdempotentParameterMismatch') throw error;
      const launched = await cloud.findByTag(LAUNCH_TAG, spec.tags[LAUNCH_TAG] ?? '');
      if (launched === null) throw error;
      return launched;
    }
  }

  function userDataOf({ logicalAgentId, launchId }: LaunchRequest): string {
    const userData: UserData = {
      spotkeeper: { server_url: apiPublicUrl, logical_agent_id: logicalAgentId, launch_id: launchId },
    };
    return JSON.stringify(userData);
  }

  /** The books are read just before the call: the last look before something that can't be undone. */
  async function terminate(request: InstanceAddress & { reason: string }): Promise<TerminationResult> {
    const { clientId, agentId, instanceId } = request;
    const holder = await agentOn(db, instanceId);
    if (holder !== null) {
      return { outcome: 'refused', message: `${instanceId} is the primary of agent ${holder}.` };
    }
    await markTerminationAttempt(db, clientId, instanceId);
    try {
      await cloud.terminate(instanceId);
      await markSeen(db, clientId, instanceId);
      return { outcome: 'requested' };
    } catch (error) {
      if (!(error instanceof CloudError)) throw error;
      if (error.kind === 'already_done') return { outcome: 'requested' };
      const { message } = error;
      await writeEvents(db, clientId, agentId, [
        {
          key: `${instanceId}:termination-failed:${new Date().toISOString()}`,
          eventType: 'instance_termination_failed',
          severity: error.kind === 'not_permitted' ? 'critical' : 'warning',
          instanceId,
          message: `Instance ${instanceId} could not be terminated, and will be tried again: ${message}`,
          details: { code: error.code },
        },
      ]);
      return { outcome: 'failed', message };
    }
  }
}

/** Tags by which our own instances and images are known. */
function agentTags({ clientId, agentId }: { clientId: string; agentId: string }): Record<string, string> {
  return { 'spotkeeper:client-id': clientId, 'spotkeeper:agent-id': agentId };
}

/**
 * The same for every repeat of one attempt, another for every other: 64 hexadecimal digits, which is EC2's limit. The
 * launch id is in it because the user data holds it, and EC2 refuses a token whose parameters changed.
 */
export function clientTokenOf(request: LaunchRequest): string {
  const { agentId, toIncarnation, switchNumber, attempt, pool, launchId } = request;
  const parts = [agentId, toIncarnation, switchNumber, attempt, poolId(pool), launchId];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
