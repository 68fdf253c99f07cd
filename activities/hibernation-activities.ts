/** EC2's part in putting machines to rest and waking them up, of one account in one region. */
import { Context } from '@temporalio/activity';
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import { imageName, snapshotKey } from '../cloud/deterministic-names';
import type { InstanceDescription, PowerOutcome } from '../cloud/instance-port';
import type { HibernationActivities, InstanceAddress, StopResult } from '../contracts/activities';
import { failureTypes } from '../contracts/activities';
import { autoTerminateOf } from '../db/agent-book';
import { noteStarted, noteStopped } from '../db/instance-stops';
import { markSeen, notFoundMeansGone } from '../db/instances';
import { planRest } from '../policy/rest';
import { ec2Step } from './cloud-failures';
import { agentTags, type Ec2Dependencies } from './ec2-dependencies';
import { heldByCap, heldBySwitch } from './stop-guards';

const ASK_AGAIN = '5 s';

/** EC2 shows a new instance within seconds; with the pauses between, these attempts take half a minute. */
const ATTEMPTS_FOR_A_NEW_INSTANCE = 7;

export function createHibernationActivities({
  cloud,
  db,
  terminationCap,
}: Ec2Dependencies): HibernationActivities {
  return {
    planHibernation: (request) =>
      ec2Step(async () => {
        const { clientId, agentId, instanceId, cause } = request;
        const found = await cloud.instances.describeOne(instanceId);
        if (found === null) {
          if (await notFoundMeansGone(db, clientId, instanceId)) {
            return { outcome: 'gone', message: `EC2 does not know ${instanceId} any more` };
          }
          const message = `EC2 does not show ${instanceId}, which proves nothing of an instance never seen`;
          if (Context.current().info.attempt < ATTEMPTS_FOR_A_NEW_INSTANCE) {
            throw ApplicationFailure.create({ type: failureTypes.retry, message });
          }
          return { outcome: 'impossible', message };
        }
        await markSeen(db, clientId, instanceId);
        const gone = found.state === 'terminated' || found.state === 'shutting-down';
        if (gone)
          return {
            outcome: 'gone',
            message: `EC2 calls ${instanceId} ${found.state} (${found.stateReason})`,
          };
        if (found.state === 'stopped' && cause !== 'forgotten') {
          await noteStopped(db, clientId, instanceId);
          return { outcome: 'stopped', message: `EC2 calls ${instanceId} stopped already` };
        }
        const plan = planRest(await machineOf(found), cause, await autoTerminateOf(db, clientId, agentId));
        const { method, message } = plan;
        if (method === null) return { outcome: 'impossible', message };
        if (method === 'image' || method === 'snapshots') {
          // Nothing is saved for an end that can't come.
          const held = await endHeld(request, 'look');
          if (held !== null) return { outcome: 'held', message: held };
        }
        return { outcome: 'plan', method, message };
      }),

    mayEnd: (request) =>
      ec2Step(async () => {
        const autoTerminate = await autoTerminateOf(db, request.clientId, request.agentId);
        const held = autoTerminate
          ? await endHeld(request, 'take')
          : `Auto-terminate is off: ${request.instanceId} is not ended.`;
        return held === null ? { may: true as const } : { may: false as const, message: held };
      }),

    stopInstance: (request) =>
      ec2Step(async (): Promise<StopResult> => {
        const held = await heldBySwitch(db, request);
        if (held !== null) return { outcome: 'held', message: held };
        const { instanceId, how, force } = request;
        const asked = await cloud.instances.stop(
          instanceId,
          how === 'hibernate' ? { hibernate: true } : { force },
        );
        if (asked.outcome === 'impossible' && how === 'hibernate') {
          // Its agent or operating system isn't ready for it; a plain stop keeps all but the memory.
          const again = await cloud.instances.stop(instanceId, { force });
          return stopResult(again, `${asked.message}; stopped instead`);
        }
        return stopResult(asked, `EC2 has taken the request to ${how} ${instanceId}`);
      }),

    proveStopped: ({ clientId, instanceId, askedAt }) =>
      ec2Step(async () => {
        const found = await cloud.instances.describeOne(instanceId);
        if (found?.state === 'stopped') {
          await noteStopped(db, clientId, instanceId, askedAt);
          return { message: `EC2 says it is stopped (${found.stateReason || 'no reason given'})` };
        }
        const gone = found ? found.state === 'terminated' : await notFoundMeansGone(db, clientId, instanceId);
        if (gone) throw never(`Instance ${instanceId} ended while it was being stopped.`);
        throw notDoneYet(`EC2 says ${instanceId} is ${found?.state ?? 'not to be found'}.`);
      }),

    createImage: (request) =>
      ec2Step(async () => {
        const { agentId, instanceId, purpose, reason } = request;
        const { image } = await cloud.images.create({
          instanceId,
          name: imageName(agentId, purpose, instanceId),
          description: `${agentId}: ${reason}`.slice(0, 255),
          // A reboot would end work that speaks against the hibernation after all.
          noReboot: true,
          tags: agentTags(request),
        });
        return { imageId: image.imageId };
      }),

    proveImageAvailable: ({ imageId }) =>
      ec2Step(async () => {
        const image = (await cloud.images.describe([imageId])).found.get(imageId);
        switch (image?.state) {
          case 'available':
            return { message: `image ${imageId} is available` };
          case 'failed':
          case 'error':
          case 'invalid':
          case 'deregistered':
          case 'disabled':
            throw never(`Image ${imageId} is ${image.state}: ${image.stateReason || 'no reason given'}.`);
          case 'pending':
          case 'transient':
          case undefined:
            throw notDoneYet(`EC2 says image ${imageId} is ${image?.state ?? 'not to be found yet'}.`);
        }
      }),

    snapshotVolumes: (request) =>
      ec2Step(async () => {
        const { instanceId, purpose, reason } = request;
        const volumes = await cloud.volumes.ofInstance(instanceId);
        if (volumes.length === 0) throw never(`Instance ${instanceId} has no volume to make a snapshot of.`);
        const snapshots = await Promise.all(
          volumes.map(({ volumeId }) =>
            cloud.snapshots.create({
              volumeId,
              key: snapshotKey(purpose, instanceId, volumeId),
              description: `${request.agentId}: ${reason}`.slice(0, 255),
              tags: { ...agentTags(request), [FINAL_SNAPSHOT_TAG]: instanceId },
            }),
          ),
        );
        return { snapshotIds: snapshots.map(({ snapshot }) => snapshot.snapshotId) };
      }),

    proveSnapshotsCompleted: ({ snapshotIds }) =>
      ec2Step(async () => {
        const { found } = await cloud.snapshots.describe(snapshotIds);
        const open = snapshotIds.filter((id) => found.get(id)?.state !== 'completed');
        const failed = open.filter((id) => found.get(id)?.state === 'error');
        if (failed.length > 0) throw never(`The snapshots ${failed.join(', ')} failed.`);
        if (open.length === 0) return { message: `${snapshotIds.join(', ')} are complete` };
        const progress = open.map((id) => `${id} at ${found.get(id)?.progressPercent ?? 0} %`).join(', ');
        throw notDoneYet(`Snapshots are still being made: ${progress}.`);
      }),

    startInstance: (request) =>
      ec2Step(async () => {
        const { clientId, instanceId } = request;
        const asked = await cloud.instances.start(instanceId);
        switch (asked.outcome) {
          case 'requested':
            await noteStarted(db, clientId, instanceId);
            return { outcome: 'started', message: `EC2 starts ${instanceId}` };
          case 'unknown':
            return (await notFoundMeansGone(db, clientId, instanceId))
              ? { outcome: 'gone', message: asked.message }
              : { outcome: 'failed', message: asked.message };
          case 'wrong_state':
            return afterWrongState(clientId, instanceId, asked.message);
          case 'protected':
          case 'impossible':
            return { outcome: 'failed', message: asked.message };
        }
      }),
  };

  async function endHeld(address: InstanceAddress, how: 'look' | 'take'): Promise<string | null> {
    return (await heldBySwitch(db, address)) ?? (await heldByCap(db, address, terminationCap, how));
  }

  async function afterWrongState(clientId: string, instanceId: string, message: string) {
    const state = (await cloud.instances.describeOne(instanceId))?.state;
    if (state === 'running' || state === 'pending') {
      await noteStarted(db, clientId, instanceId);
      return { outcome: 'started' as const, message: `${instanceId} runs already` };
    }
    if (state === 'terminated' || state === 'shutting-down') return { outcome: 'gone' as const, message };
    // Still stopping: soon it can be started.
    throw notDoneYet(message);
  }

  async function machineOf(found: InstanceDescription) {
    const [types, [request]] = await Promise.all([
      cloud.market.instanceTypes([found.instanceType]),
      cloud.spotRequests.ofInstances([found.instanceId]),
    ]);
    const type = types.found.get(found.instanceType);
    return {
      option: found.option,
      requestType: request?.type ?? null,
      hibernationConfigured: found.hibernationConfigured,
      hibernationSupported: type?.hibernationSupported ?? false,
      accelerated: type?.accelerated ?? true,
      instanceStore: null,
      volumes: found.volumes.length,
    };
  }
}

/** By which clean-up knows that a snapshot is the last of a machine, and leaves it. */
export const FINAL_SNAPSHOT_TAG = 'spotkeeper:final-snapshot-of';

function stopResult(asked: PowerOutcome, done: string): StopResult {
  switch (asked.outcome) {
    case 'requested':
      return { outcome: 'requested', message: done };
    case 'protected':
      return { outcome: 'held', message: asked.message };
    case 'unknown':
    case 'impossible':
    case 'wrong_state':
      return { outcome: 'failed', message: asked.message };
  }
}

function notDoneYet(message: string): ApplicationFailure {
  return ApplicationFailure.create({
    type: failureTypes.notDoneYet,
    category: ApplicationFailureCategory.BENIGN, // The usual course: EC2 takes its time.
    message,
    nextRetryDelay: ASK_AGAIN,
  });
}

function never(message: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(message, failureTypes.never);
}
