/** A fresh instance's record. */
import { randomInt } from 'node:crypto';
import type { Instance } from '../books/entities';
import { newId } from '../ids';

type Given = Pick<Instance, 'region' | 'zone' | 'instanceType' | 'imageId' | 'option' | 'runsAt'> &
  Partial<Instance> & { now: number };

export function newInstance({ now, ...given }: Given): Instance {
  return {
    ...identityOf(given.option),
    reservationId: newId('r'),
    launchIndex: 0,
    clientToken: null,
    keyName: null,
    tags: {},
    userData: null,
    publicIp: newPublicIp(),
    launchedAt: now,
    bootedAt: now,
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
    stoppedAt: null,
    lastTerminationTime: null,
    endReason: null,
    endedAt: null,
    terminatesAt: null,
    ...given,
  };
}

/** Another one like it, for the same spot request: what is new with each launch is new. */
export function anotherOf(
  template: Instance,
  { now, runsAt, visibleAt }: { now: number; runsAt: number; visibleAt: number },
): Instance {
  const { id, privateIp } = identityOf(template.option);
  return {
    ...template,
    ...{ id, privateIp, publicIp: newPublicIp(), reservationId: newId('r') },
    ...{ launchedAt: now, bootedAt: now, runsAt, visibleAt, state: 'pending', devices: [] },
  };
}

export function newPublicIp(): string {
  return `198.${randomInt(18, 20)}.${randomInt(256)}.${randomInt(1, 255)}`;
}

function identityOf(option: Instance['option']): Pick<Instance, 'id' | 'spotRequestId' | 'privateIp'> {
  return {
    id: newId('i'),
    spotRequestId: option === 'spot' ? `sir-${newId('').slice(1, 9)}` : null,
    privateIp: `10.${randomInt(256)}.${randomInt(256)}.${randomInt(1, 255)}`,
  };
}
