/** How this process fares. Few series: none has an agent, a client or a path in it. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { collectDefaultMetrics, Counter, Registry } from 'prom-client';
import { RequestTally } from './request-tally';

/** What came of a heartbeat. `shed` is back-pressure: its sender is told to come again. */
const OUTCOMES = ['stored', 'shed', 'refused', 'failed'] as const;
type Outcome = (typeof OUTCOMES)[number];

export class ProcessMetrics {
  readonly registry = new Registry();
  readonly #tally = new RequestTally();

  constructor() {
    collectDefaultMetrics({ register: this.registry });
    this.#tally.register(this.registry);
    const tally = this.#tally;
    new Counter({
      name: 'spotkeeper_heartbeats_total',
      help: 'Heartbeats received: stored, shed (429 or 503: to be sent again), refused (4xx) or failed (5xx).',
      labelNames: ['outcome'],
      registers: [this.registry],
      // Those that are none are shown too: an increase from nothing to one is none to Prometheus.
      collect() {
        this.reset();
        for (const outcome of OUTCOMES) {
          this.inc(
            { outcome },
            tally.heartbeats((status) => outcomeOf(status) === outcome),
          );
        }
      },
    });
  }

  /** Counts one request when its answer has ended. */
  watch(request: IncomingMessage, response: ServerResponse): void {
    const startMs = request.url?.startsWith('/api/events') ? null : performance.now();
    response.once('close', () => {
      const seconds = startMs === null ? null : (performance.now() - startMs) / 1000;
      this.#tally.add('http', methodOf(request), response.statusCode, seconds);
    });
  }

  /** Counts one heartbeat that was just answered. */
  heartbeat(status: number, startMs: number): void {
    this.#tally.add('heartbeat', 'POST', status, (performance.now() - startMs) / 1000);
  }

  text(): Promise<string> {
    return this.registry.metrics();
  }
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'];

/** A sender can invent methods, and each would be a series. */
function methodOf(request: IncomingMessage): string {
  return METHODS.includes(request.method ?? '') ? (request.method as string) : 'other';
}

function outcomeOf(status: number): Outcome {
  if (status < 400) return 'stored';
  if (status === 429 || status === 503) return 'shed';
  return status < 500 ? 'refused' : 'failed';
}
