/** The last look before a machine is stopped or ended: may anything be stopped at all, and may this one. */
import type { InstanceAddress } from '../contracts/activities';
import type { Db } from '../db/connect';
import { reserveTermination, stopSwitchFor, type TerminationCap } from '../db/stop-guards';
import { writeEvents } from '../db/system-events';

/** Why nothing of this client may be stopped now, or null. Said once to people for each time the switch is set. */
export async function heldBySwitch(
  db: Db,
  { clientId, agentId, instanceId }: InstanceAddress,
): Promise<string | null> {
  const held = await stopSwitchFor(db, clientId);
  if (held === null) return null;
  const whose = held.scope === 'system' ? 'the whole system' : 'this client';
  const message = `The stop switch of ${whose} is set (by ${held.setBy}: ${held.reason}): ${instanceId} is not stopped.`;
  await writeEvents(db, clientId, agentId, [
    {
      key: `${instanceId}:held:${held.scope}:${held.setAt.toISOString()}`,
      eventType: 'stop_held',
      severity: 'warning',
      instanceId,
      message,
      details: { scope: held.scope },
    },
  ]);
  return message;
}

/** Why the cap has no room for another end, or null, with the room taken unless this is a `look`. One alert a window. */
export async function heldByCap(
  db: Db,
  address: InstanceAddress,
  cap: TerminationCap,
  how: 'look' | 'take' = 'take',
): Promise<string | null> {
  const { clientId, agentId, instanceId } = address;
  const held = await reserveTermination(db, clientId, instanceId, cap, how);
  if (held === null) return null;
  const message = `Instance ${instanceId} is not ended yet: ${held}.`;
  const window = Math.floor(Date.now() / 1000 / cap.windowSeconds);
  await writeEvents(db, clientId, agentId, [
    {
      key: `${clientId}:terminations-held:${window}`,
      eventType: 'terminations_held',
      severity: 'critical',
      instanceId,
      message,
      details: {},
    },
  ]);
  return message;
}
