/** Launching an instance for an agent: an intent first, then the call until it is certain what came of it. */
import { findPatiently, launchForCertain } from '../cloud/certain-launch';
import { clientTokenOf } from '../cloud/client-token';
import { CloudError } from '../cloud/cloud-error';
import type { Ec2Activities, LaunchRequest } from '../contracts/activities';
import type { UserData } from '../contracts/user-data';
import { writeInstance } from '../db/instances';
import { launchIsOpen, settleLaunchIntent, writeLaunchIntent } from '../db/launch-intents';
import { attemptTimer, ec2Step } from './cloud-failures';
import { agentTags, type Ec2Dependencies, LAUNCH_TAG } from './ec2-dependencies';
import { SIGHTINGS } from './instance-sightings';

export function createLaunchActivities({
  cloud,
  db,
  apiPublicUrl,
}: Ec2Dependencies): Pick<Ec2Activities, 'launchInstance' | 'findLaunch'> {
  return {
    launchInstance: (request) => ec2Step(() => launch(request)),

    findLaunch: ({ launchId }) =>
      ec2Step(async () => {
        const look = async () => (await cloud.instances.findByTags({ [LAUNCH_TAG]: launchId }))[0] ?? null;
        // Of a launch that was refused nothing is left; of one without an answer EC2 may not show yet what is.
        const found = (await launchIsOpen(db, launchId)) ? await findPatiently(look) : await look();
        if (found)
          await settleLaunchIntent(db, launchId, { outcome: 'launched', instanceId: found.instanceId });
        return { instanceId: found?.instanceId ?? null };
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
      // One that is ambiguous may have launched, whatever its kind.
      if (!error.ambiguous && (error.kind === 'not_permitted' || error.kind === 'never')) {
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
}
