/**
 * Requests counted in plain numbers, and turned into Prometheus' form when somebody asks: at thousands of heartbeats a
 * second, counting by labels would take longer than reading them.
 */
import { Counter, type Metric, type Registry } from 'prom-client';

export type Intake = 'heartbeat' | 'http';

/** Upper bounds in seconds. */
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

class Durations {
  readonly counts = new Array<number>(BOUNDS.length + 1).fill(0);
  sum = 0;

  add(seconds: number): void {
    let at = 0;
    while (at < BOUNDS.length && seconds > (BOUNDS[at] as number)) at += 1;
    this.counts[at] = (this.counts[at] as number) + 1;
    this.sum += seconds;
  }
}

export class RequestTally {
  readonly #durations: Record<Intake, Durations> = { heartbeat: new Durations(), http: new Durations() };
  /** By intake, method and status, with a space between. */
  readonly #answers = new Map<string, number>();

  /** @param seconds null for what isn't timed, such as a stream of events. */
  add(intake: Intake, method: string, status: number, seconds: number | null): void {
    const key = `${intake} ${method} ${status}`;
    this.#answers.set(key, (this.#answers.get(key) ?? 0) + 1);
    if (seconds !== null) this.#durations[intake].add(seconds);
  }

  register(registry: Registry): void {
    const answers = this.#answers;
    new Counter({
      name: 'spotkeeper_api_requests_total',
      help: 'Requests answered, by who answered (intake: heartbeat or http), method and status.',
      labelNames: ['intake', 'method', 'status'],
      registers: [registry],
      collect() {
        this.reset();
        for (const [key, count] of answers) {
          const [intake = '', method = '', status = ''] = key.split(' ');
          this.inc({ intake, method, status }, count);
        }
      },
    });
    registry.registerMetric(this.#histogram());
  }

  /** How many heartbeats were answered with such a status. */
  heartbeats(matches: (status: number) => boolean): number {
    let sum = 0;
    for (const [key, count] of this.#answers) {
      const [intake, , status] = key.split(' ');
      if (intake === 'heartbeat' && matches(Number(status))) sum += count;
    }
    return sum;
  }

  /** As prom-client's own histogram shows itself. */
  #histogram(): Metric {
    const name = 'spotkeeper_api_request_seconds';
    const help =
      'Seconds from the arrival of a request to the end of its answer; event streams are left out.';
    const get = () => {
      const values = Object.entries(this.#durations).flatMap(([intake, { counts, sum }]) => {
        let below = 0;
        const buckets = counts.map((count, at) => ({
          labels: { intake, le: BOUNDS[at] ?? '+Inf' },
          value: (below += count),
          metricName: `${name}_bucket`,
        }));
        return [
          ...buckets,
          { labels: { intake }, value: sum, metricName: `${name}_sum` },
          { labels: { intake }, value: below, metricName: `${name}_count` },
        ];
      });
      return Promise.resolve({ name, help, type: 'histogram', values, aggregator: 'sum' });
    };
    return { name, help, type: 'histogram', get } as unknown as Metric;
  }
}
