/** The EC2 steps of one account in one region. */
import { Context } from '@temporalio/activity';
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import { launchForCertain } from '../cloud/certain-launch';
import { clientTokenOf } from '../cloud/client-token';
import { CloudError } from '../cloud/cloud-error';
import type { CloudPort } from '../cloud/cloud-port';
import type { Ec2InstanceState } from '../cloud/instance-port';
import type {
  Ec2Activities,
  InstanceAddress,
  InstanceSighting,
  LaunchRequest,
  TerminationResult,
} from '../contracts/activities';
import { failureTypes } from '../contracts/activities';
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
import { attemptTimer, ec2Step } from './cloud-failures';

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

/** EC2 shows a new instance within seconds; with the pauses between, these attempts take half a minute. */
const ATTEMPTS_FOR_A_NEW_INSTANCE = 7;

/** How soon EC2 is asked again whether an instance has ended. */
const PROOF_INTERVAL = '2 s';

export function createEc2Activities({ cloud, db, apiPublicUrl }: Ec2Dependencies): Ec2Activities {
  return {
    planSwitch: (request) =>
      ec2Step(async () => {
        const { from } = request;
        const [zones, prices, image] = await Promise.all([
          cloud.market.zones(),
          cloud.market.spotPrices([from.instanceType]),
          cloud.images.newest(agentTags(request)),
        ]);
        const imageId = image?.imageId ?? from.imageId;
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
        const [found] = await cloud.instances.findByTags({ [LAUNCH_TAG]: launchId });
        if (found)
          await settleLaunchIntent(db, launchId, { outcome: 'launched', instanceId: found.instanceId });
        return { instanceId: found?.instanceId ?? null };
      }),

    lookUpInstance: ({ clientId, instanceId }) =>
      ec2Step(async () => {
        try {
          const found = await cloud.instances.describeOne(instanceId);
          if (found === null) return { sighting: 'not_found' as const, message: 'it knows no such instance' };
          await markSeen(db, clientId, instanceId);
          return {
            sighting: SIGHTINGS[found.state],
            message: `${found.state}${found.stateReason && ` (${found.stateReason})`}`,
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
        const found = await cloud.instances.describeOne(instanceId);
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
        const message = `Instance ${instanceId} is terminated: EC2 ${found ? `says so (${found.stateReason})` : 'does not know it any more'}.`;
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
    const timeLeftMs = attemptTimer();
    const planned = { clientToken: clientTokenOf(request), userData: userDataOf(request) };
    const { clientToken, imageId, userData, repeated } = await writeLaunchIntent(db, request, planned);
    try {
      const tags = {
        Name: `spotkeeper ${request.logicalAgentId}`,
        ...agentTags(request),
        [LAUNCH_TAG]: launchId,
      };
      const { instanceId } = await launchForCertain<{ instanceId: string }>({
        attempt: () => cloud.instances.launch({ clientToken, imageId, pool, userData, tags }),
        find: () => livingLaunch(launchId),
        inDoubt: repeated,
        timeLeftMs,
      });
      await settleLaunchIntent(db, launchId, { outcome: 'launched', instanceId });
      // Not yet seen: for a moment after this answer EC2 may not know the instance.
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

  async function livingLaunch(launchId: string) {
    const found = await cloud.instances.findByTags({ [LAUNCH_TAG]: launchId });
    return found.find(({ state }) => SIGHTINGS[state] !== 'gone') ?? null;
  }

  function userDataOf({ logicalAgentId, launchId }: LaunchRequest): string {
    const userData: UserData = {
      spotkeeper: { server_url: apiPublicUrl, logical_agent_id: logicalAgentId, launch_id: launchId },
    };
    return JSON.stringify(userData);
  }

  /** The books are read just before the call: the last look before something that can't be undone. */
  async function terminate(request: InstanceAddress & { reason: string }): Promise<TerminationResult> {
    const { clientId, instanceId } = request;
    const holder = await agentOn(db, instanceId);
    if (holder !== null) {
      return { outcome: 'refused', message: `${instanceId} is the primary of agent ${holder}.` };
    }
    await markTerminationAttempt(db, clientId, instanceId);
    const result = (await cloud.instances.terminate([instanceId])).get(instanceId);
    switch (result?.outcome) {
      case 'requested':
        return { outcome: 'requested' };
      case 'unknown':
        // Gone, as the proof will say; or so new that EC2 does not show it yet, and then it would live on.
        if (await notFoundMeansGone(db, clientId, instanceId)) return { outcome: 'requested' };
        if (Context.current().info.attempt < ATTEMPTS_FOR_A_NEW_INSTANCE) {
          throw ApplicationFailure.create({ type: failureTypes.retry, message: result.message });
        }
        return terminationFailed(request, 'warning', 'unknown', result.message);
      case 'protected':
        return terminationFailed(request, 'critical', 'protected', result.message);
      case 'failed': {
        const severity = result.error.kind === 'not_permitted' ? 'critical' : 'warning';
        return terminationFailed(request, severity, result.error.code, result.error.message);
      }
      case undefined:
        return terminationFailed(request, 'warning', 'EmptyReply', `EC2 said nothing of ${instanceId}.`);
    }
  }

  async function terminationFailed(
    { clientId, agentId, instanceId }: InstanceAddress,
    severity: 'warning' | 'critical',
    code: string,
    message: string,
  ): Promise<TerminationResult> {
    await writeEvents(db, clientId, agentId, [
      {
        key: `${instanceId}:termination-failed:${new Date().toISOString()}`,
        eventType: 'instance_termination_failed',
        severity,
        instanceId,
        message: `Instance ${instanceId} could not be terminated, and will be tried again: ${message}`,
        details: { code },
      },
    ]);
    return { outcome: 'failed', message };
  }
}

/** Tags by which our own instances and images are known. */
function agentTags({ clientId, agentId }: { clientId: string; agentId: string }): Record<string, string> {
  return { 'spotkeeper:client-id': clientId, 'spotkeeper:agent-id': agentId };
}
