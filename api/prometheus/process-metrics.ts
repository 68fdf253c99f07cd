/** How this process fares. Few series: none has an agent, a client or a path in it. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { collectDefaultMetrics, Counter, Histogram, Registry } from 'prom-client';

export type Intake = 'heartbeat' | 'http';

/** What came of a heartbeat. `shed` is back-pressure: its sender is told to come again. */
const OUTCOMES = ['stored', 'shed', 'refused', 'failed'] as const;
type Outcome = (typeof OUTCOMES)[number];

export class ProcessMetrics {
  readonly registry = new Registry();
  readonly #requests: Counter<'intake' | 'method' | 'status'>;
  readonly #seconds: Histogram<'intake'>;
  readonly #heartbeats: Counter<'outcome'>;

  constructor() {
    collectDefaultMetrics({ register: this.registry });
    this.#requests = new Counter({
      name: 'spotkeeper_api_requests_total',
      help: 'Requests answered, by who answered (intake: heartbeat or http), method and status.',
      labelNames: ['intake', 'method', 'status'],
      registers: [this.registry],
    });
    this.#seconds = new Histogram({
      name: 'spotkeeper_api_request_seconds',
      help: 'Seconds from the arrival of a request to the end of its answer; event streams are left out.',
      labelNames: ['intake'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers: [this.registry],
    });
    this.#heartbeats = new Counter({
      name: 'spotkeeper_heartbeats_total',
      help: 'Heartbeats received: stored, shed (429 or 503: to be sent again), refused (4xx) or failed (5xx).',
      labelNames: ['outcome'],
      registers: [this.registry],
    });
    // An increase from nothing to one is none to Prometheus.
    for (const outcome of OUTCOMES) this.#heartbeats.inc({ outcome }, 0);
  }

  /** Counts one request when its answer has ended. */
  watch(intake: Intake, request: IncomingMessage, response: ServerResponse): void {
    const endTimer = request.url?.startsWith('/api/events') ? null : this.#seconds.startTimer({ intake });
    response.once('close', () => {
      const status = response.statusCode;
      this.#requests.inc({ intake, method: methodOf(request), status });
      if (intake === 'heartbeat') this.#heartbeats.inc({ outcome: outcomeOf(status) });
      endTimer?.();
    });
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
