/** The answer of what stops, starts and ends instances: each one's state before and now. */
import type { Instance } from '../books/entities';
import type { Cloud } from '../cloud';
import { stateXml } from './instance-xml';
import type { XmlElements } from './xml';

export function stateChanges(cloud: Cloud, before: readonly Instance[]): XmlElements {
  return {
    instancesSet: before.map(({ id, state }) => ({
      instanceId: id,
      currentState: stateXml(cloud.books.get('instance', id)?.state ?? 'terminated'),
      previousState: stateXml(state),
    })),
  };
}
