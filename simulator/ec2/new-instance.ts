/** A fresh instance's record. */
import { randomInt } from 'node:crypto';
import type { Instance } from '../books/entities';
import { newId } from '../ids';

type Given = Pick<Instance, 'region' | 'zone' | 'instanceType' | 'imageId' | 'option' | 'runsAt'> &
  Partial<Instance> & { now: number };

export function newInstance({ now, ...given }: Given): Instance {
  return {
    id: newId('i'),
    reservationId: newId('r'),
    spotRequestId: given.option === 'spot' ? `sir-${newId('').slice(1, 9)}` : null,
    launchIndex: 0,
    clientToken: null,
    keyName: null,
    tags: {},
    userData: null,
    privateIp: `10.${randomInt(256)}.${randomInt(256)}.${randomInt(1, 255)}`,
    publicIp: `198.${randomInt(18, 20)}.${randomInt(256)}.${randomInt(1, 255)}`,
    launchedAt: now,
    state: 'pending',
    notice: null,
    rebalanceAt: null,
    visibleAt: now,
    disableApiTermination: false,
    disableApiStop: false,
    hibernationConfigured: false,
    shutdownBehavior: 'stop',
    interruptionBehavior: 'terminate',
    metadataTags: false,
    instanceProfile: null,
    devices: [],
    stoppedBy: null,
    lastTerminationTime: null,
    endReason: null,
    endedAt: null,
    terminatesAt: null,
    ...given,
  };
}
