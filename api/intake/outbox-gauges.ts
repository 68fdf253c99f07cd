/** The outbox in the metrics: read when somebody asks, and the latest known while the database is away. */
import { Gauge, type Registry } from 'prom-client';
import type { OutboxFigures } from '../../db/outbox';

export function addOutboxGauges(registry: Registry, read: () => Promise<OutboxFigures>): void {
  let reading: Promise<OutboxFigures | null> | null = null;
  /** All gauges of one answer share a look; null when the database is away, which is in the log of those who need it. */
  const figures = () =>
    (reading ??= read()
      .catch(() => null)
      .finally(() => (reading = null)));
  const gauge = (name: string, help: string, value: (figures: OutboxFigures) => number) =>
    new Gauge({
      name: `spotkeeper_outbox_${name}`,
      help,
      registers: [registry],
      async collect() {
        const known = await figures();
        if (known) this.set(value(known));
      },
    });
  gauge('waiting', 'Signals that wait to be delivered to workflows.', (known) => known.waiting);
  gauge(
    'undeliverable',
    'Signals of the last 7 days that could not be delivered: their workflow is not there or has ended.',
    (known) => known.undeliverable,
  );
  gauge(
    'oldest_seconds',
    'Age of the oldest signal that waits; 0 when none does.',
    (known) => known.oldestSeconds ?? 0,
  );
}
