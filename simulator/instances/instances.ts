/**
 * The instances of the books, and every change to them: with a change go, in one transaction, what it means for the
 * instance's volumes and for its spot request; after it the event, and the machine behind it.
 */
import type { Books, BooksPut } from '../books/books';
import type { EndReason, Instance, Notice, SpotRequest } from '../books/entities';
import type { CloudClock } from '../clock';
import type { EventLog } from '../control/event-log';
import { DueTimes } from '../due-times';
import { afterChange, fulfilledRequest, interruptionOf } from '../spot/request-life';
import type { SpotTerms } from '../spot/request-life';
import type { LaunchDisks } from '../storage/disks';
import type { Volumes } from '../storage/volumes';
import { tokenAfter } from './client-tokens';
import { EVENT_OF_STATE, instanceEvent } from './instance-events';
import type { InstanceEventKind } from './instance-events';
import { LateView } from './late-view';
import { end, giveNotice, isOver, nextChange, nextState, start, stop } from './lifecycle';
import { newPublicIp } from './new-instance';

export interface InstanceParts {
  readonly books: Books;
  readonly clock: CloudClock;
  readonly events: EventLog;
  readonly volumes: Volumes;
  /** Draws how long something takes, in cloud seconds. */
  readonly draw: (duration: 'boot' | 'shutdown' | 'consistency') => number;
  readonly onRequest: (request: SpotRequest) => void;
  readonly reconcile: (instanceId: string) => void;
}

/** Instances that are alike in what they have and how they are bought. */
export interface LaunchOrder {
  readonly instances: readonly Instance[];
  readonly disks: LaunchDisks;
  /** Null for on-demand. */
  readonly spot: SpotTerms | null;
}

export class Instances {
  readonly #parts: InstanceParts;
  readonly #due = new DueTimes();
  readonly #late: LateView;

  constructor(parts: InstanceParts) {
    this.#parts = parts;
    this.#late = new LateView(() => parts.draw('consistency'));
    for (const instance of parts.books.all('instance')) this.#due.set(instance.id, nextChange(instance));
  }

  nextDue(): number {
    return this.#due.next();
  }

  /** Does what is due at `now`. Returns whether an instance gave its place back. */
  settle(now: number): boolean {
    let freed = false;
    for (const id of this.#due.take(now)) {
      const instance = this.#parts.books.get('instance', id);
      if (!instance) continue;
      const next = nextState(instance, now, () => this.#parts.draw('shutdown'));
      if (next === null) this.#forget(instance, now);
      else if (next === instance) this.#due.set(id, nextChange(instance));
      else this.keep([next], EVENT_OF_STATE[next.state], now);
      freed ||= next?.state === 'terminated' || next?.state === 'stopped';
    }
    return freed;
  }

  /** As descriptions show it: a while after it changed. */
  shown(instance: Instance, now: number): Instance {
    return this.#late.of(instance, now);
  }

  /**
   * Books instances with their disks and spot requests, all in one transaction. Returns them.
   * @param also changes of the same transaction.
   */
  launch(orders: readonly LaunchOrder[], also: readonly BooksPut[], now: number): Instance[] {
    const { books, volumes, reconcile } = this.#parts;
    const launched = orders.flatMap(({ instances, disks }) =>
      instances.map((instance) => volumes.atLaunch(instance, disks, now)),
    );
    const made = launched.map(({ instance }) => instance);
    const requests = orders.flatMap(({ instances, disks, spot }) =>
      spot
        ? instances.map((draft) =>
            fulfilledRequest(draft, spot, { disks: disks.disks, volumeTags: disks.tags }),
          )
        : [],
    );
    books.commit(now, [
      ...launched.flatMap(({ instance, puts }): BooksPut[] => [['instance', instance.id, instance], ...puts]),
      ...requests.map((request): BooksPut => ['spotRequest', request.id, request]),
      ...also,
    ]);
    for (const instance of made) {
      volumes.launched(instance);
      this.#tell('instance-launched', instance);
      this.#due.set(instance.id, nextChange(instance));
      reconcile(instance.id);
    }
    for (const request of requests) this.#parts.onRequest(request);
    return made;
  }

  /** Ends them; those that have ended stay as they are. */
  end(instances: readonly Instance[], reason: EndReason, now: number): void {
    const ended = instances
      .filter((instance) => !isOver(instance))
      .map((instance) => end(instance, now, reason, this.#parts.draw('shutdown')));
    this.keep(ended, 'instance-ended', now);
  }

  stop(instances: readonly Instance[], by: 'stop' | 'hibernate', reason: EndReason, now: number): void {
    const seconds = () => this.#parts.draw('shutdown');
    const stopped = instances.map((instance) => stop(instance, now, { by, reason, seconds: seconds() }));
    this.keep(
      stopped.filter((instance, index) => instance !== instances[index]),
      'instance-stopping',
      now,
    );
  }

  start(instances: readonly Instance[], now: number): void {
    const started = instances.map((instance) =>
      start(instance, now, { runsAt: now + this.#parts.draw('boot'), publicIp: newPublicIp() }),
    );
    this.keep(
      started.filter((instance, index) => instance !== instances[index]),
      'instance-started',
      now,
    );
  }

  /** Notices to spot instances, each in its own way. */
  interrupt(instances: readonly Instance[], cause: Notice['cause'], seconds: number, now: number): void {
    const noticed = instances.map((instance) => {
      const request = this.#requestOf(instance);
      return giveNotice(instance, now, { action: interruptionOf(instance, request), cause, seconds });
    });
    this.keep(
      noticed.filter((instance, index) => instance !== instances[index]),
      'interruption-notice',
      now,
    );
  }

  /** Writes changed instances down. */
  keep(changed: readonly Instance[], kind: InstanceEventKind, now: number): void {
    if (changed.length === 0) return;
    const { books, volumes, reconcile, onRequest } = this.#parts;
    const requests = changed.flatMap((instance) => {
      const request = this.#requestOf(instance);
      const after = request && afterChange(request, instance, now);
      return after && after !== request ? [after] : [];
    });
    for (const { id } of changed) {
      const before = books.get('instance', id);
      if (before) this.#late.changed(before, now);
    }
    books.commit(now, [
      ...changed.flatMap((instance): BooksPut[] => [
        ['instance', instance.id, instance],
        ...(instance.state === 'terminated' ? volumes.atEnd(instance) : []),
      ]),
      ...requests.map((request): BooksPut => ['spotRequest', request.id, request]),
    ]);
    for (const instance of changed) {
      this.#tell(kind, instance);
      this.#due.set(instance.id, nextChange(instance));
      reconcile(instance.id);
    }
    for (const request of requests) onRequest(request);
  }

  #forget(instance: Instance, now: number): void {
    const { id } = instance;
    const { books } = this.#parts;
    books.commit(now, [['instance', id, null], ['machine', id, null], ...tokenAfter(books, instance, now)]);
    this.#late.forget(id);
    this.#parts.reconcile(id);
  }

  #requestOf({ spotRequestId }: Instance): SpotRequest | undefined {
    return spotRequestId === null ? undefined : this.#parts.books.get('spotRequest', spotRequestId);
  }

  #tell(kind: InstanceEventKind, instance: Instance): void {
    this.#parts.events.append(instanceEvent(kind, instance, this.#parts.clock));
  }
}
