/** An instance's XML as text, written once for as long as it stays the same: a page has a thousand. */
import type { Instance } from '../books/entities';
import type { Cloud } from '../cloud';
import { instanceXml } from './instance-xml';
import { deviceState } from './volume-xml';
import { WrittenXml } from './xml';

/** What instanceXml makes of a record depends on these besides the record itself, which is never changed in place. */
interface Circumstances {
  /** What wall times are reckoned from; a paused clock that is moved has others. */
  readonly anchors: readonly unknown[];
  readonly devices: string;
}

const known = new WeakMap<Instance, Circumstances & { readonly xml: WrittenXml }>();

export function writtenInstance(cloud: Cloud, instance: Instance): WrittenXml {
  const { anchors } = cloud.clock;
  let devices = '';
  for (const device of instance.devices) devices += `${deviceState(cloud, device)} `;
  const before = known.get(instance);
  if (before?.anchors === anchors && before.devices === devices) return before.xml;
  const xml = new WrittenXml(instanceXml(cloud, instance));
  known.set(instance, { anchors, devices, xml });
  return xml;
}
