/** `GET /metrics`: how this process fares, for Prometheus. Few series: none has an agent, a client or a path in it. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Request, type Response, Router } from 'express';
import { collectDefaultMetrics, Counter, Histogram, Registry } from 'prom-client';

export class ApiMetrics {
  readonly registry = new Registry();
  readonly #requests: Counter<'intake' | 'method' | 'status'>;
  readonly #seconds: Histogram<'intake'>;

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
  }

  /** Counts one request when its answer has ended. */
  watch(intake: 'heartbeat' | 'http', request: IncomingMessage, response: ServerResponse): void {
    const endTimer = request.url?.startsWith('/api/events') ? null : this.#seconds.startTimer({ intake });
    response.once('close', () => {
      this.#requests.inc({ intake, method: methodOf(request), status: response.statusCode });
      endTimer?.();
    });
  }

  routes(): Router {
    const router = Router();
    router.get('/metrics', async (_request: Request, response: Response) => {
      response.type(this.registry.contentType).send(await this.registry.metrics());
    });
    return router;
  }
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'];

/** A sender can invent methods, and each would be a series. */
function methodOf(request: IncomingMessage): string {
  return METHODS.includes(request.method ?? '') ? (request.method as string) : 'other';
}
