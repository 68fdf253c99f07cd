/** Ending an instance: asked for after a last look at the books, and written down on EC2's own word alone. */
import { Context } from '@temporalio/activity';
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import { CloudError } from '../cloud/cloud-error';
import type { TerminationOutcome } from '../cloud/instance-port';
import type { Ec2Activities, InstanceAddress, TerminationResult } from '../contracts/activities';
import { failureTypes } from '../contracts/activities';
import {
  agentOn,
  confirmTerminated,
  markSeen,
  markTerminationAttempt,
  notFoundMeansGone,
} from '../db/instances';
import { releaseTermination } from '../db/stop-guards';
import { writeEvents } from '../db/system-events';
import { ec2Step } from './cloud-failures';
import type { Ec2Dependencies } from './ec2-dependencies';
import { heldByCap, heldBySwitch } from './stop-guards';

/** EC2 shows a new instance within seconds; with the pauses between, these attempts take half a minute. */
const ATTEMPTS_FOR_A_NEW_INSTANCE = 7;

/** How soon EC2 is asked again whether an instance has ended. */
const PROOF_INTERVAL = '2 s';

export function createTerminationActivities({
  cloud,
  db,
  terminationCap,
}: Ec2Dependencies): Pick<Ec2Activities, 'terminateInstance' | 'proveTerminated'> {
  return {
    terminateInstance: (request) => ec2Step(() => terminate(request)),
    proveTerminated: (request) => ec2Step(() => prove(request)),
  };

  /** The books are read just before the call: the last look before something that can't be undone. */
  async function terminate(request: InstanceAddress & { reason: string }): Promise<TerminationResult> {
    const { clientId, instanceId } = request;
    const ended = await hasEnded(clientId, instanceId);
    const holder = await agentOn(db, instanceId);
    if (holder !== null) {
      return { outcome: 'refused', message: `${instanceId} is the primary of agent ${holder}.` };
    }
    // Of what AWS took, or somebody else ended, nothing is held back, and it takes no room under the cap.
    if (ended) {
      await releaseTermination(db, clientId, instanceId, 'unasked');
      return { outcome: 'requested' };
    }
    const held = (await heldBySwitch(db, request)) ?? (await heldByCap(db, request, terminationCap));
    if (held !== null) return { outcome: 'held', message: held };
    await markTerminationAttempt(db, clientId, instanceId);
    const result = await askToEnd(clientId, instanceId);
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

  async function hasEnded(clientId: string, instanceId: string): Promise<boolean> {
    const found = await cloud.instances.describeOne(instanceId);
    if (found === null) return notFoundMeansGone(db, clientId, instanceId);
    await markSeen(db, clientId, instanceId);
    return found.state === 'terminated' || found.state === 'shutting-down';
  }

  /** What EC2 did not take ends nothing, so its room goes to another; what it may have taken keeps it. */
  async function askToEnd(clientId: string, instanceId: string): Promise<TerminationOutcome | undefined> {
    try {
      const result = (await cloud.instances.terminate([instanceId])).get(instanceId);
      const taken =
        result?.outcome === 'requested' || (result?.outcome === 'failed' && result.error.ambiguous);
      if (!taken) await releaseTermination(db, clientId, instanceId, 'refused');
      return result;
    } catch (error) {
      if (error instanceof CloudError && !error.ambiguous) {
        await releaseTermination(db, clientId, instanceId, 'refused');
      }
      throw error;
    }
  }

  async function prove(request: InstanceAddress): Promise<{ message: string }> {
    const { clientId, agentId, instanceId } = request;
    const found = await cloud.instances.describeOne(instanceId);
    if (found) await markSeen(db, clientId, instanceId);
    const ended = found ? found.state === 'terminated' : await notFoundMeansGone(db, clientId, instanceId);
    if (!ended) {
      const state = found ? found.state : 'not to be found, which proves nothing of an instance never seen';
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
