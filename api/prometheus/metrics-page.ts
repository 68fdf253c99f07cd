/**
 * `GET /metrics`. This process's figures and the fleet's sums are for anyone who reaches it; clients, accounts, agents
 * and instances are named only to administrators, on a port of its own that is for Prometheus alone, or where the
 * deployment opens them to anyone.
 */
import { createServer, type Server, type ServerResponse } from 'node:http';
import { Router } from 'express';
import { requireKind } from '../http/access';
import type { Authenticator } from '../http/bearer';
import { route } from '../http/route';
import type { FleetMetrics } from './fleet-metrics';
import type { ProcessMetrics } from './process-metrics';

const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export interface MetricsPageParts {
  authenticator: Authenticator;
  requests: ProcessMetrics;
  fleet: FleetMetrics;
  /** Whether whoever reaches the API sees names. */
  openToAnyone: boolean;
}

export class MetricsPage {
  readonly #parts: MetricsPageParts;

  constructor(parts: MetricsPageParts) {
    this.#parts = parts;
  }

  routes(): Router {
    const { authenticator, openToAnyone } = this.#parts;
    const router = Router();
    route(router, '/metrics', {
      GET: async (request, response) => {
        const asks = request.headers.authorization !== undefined;
        if (asks) requireKind(await authenticator.caller(request), 'admin');
        response.type(CONTENT_TYPE).send(await this.#text(asks || openToAnyone));
      },
    });
    return router;
  }

  /** A server that answers nothing but this page, with names. */
  server(): Server {
    return createServer((request, response) => {
      if (request.method === 'GET' && request.url?.split('?')[0] === '/metrics') void this.#answer(response);
      else response.writeHead(404, { 'Content-Type': 'text/plain' }).end('There is only /metrics here.\n');
    });
  }

  async #answer(response: ServerResponse): Promise<void> {
    try {
      const text = await this.#text(true);
      response.writeHead(200, { 'Content-Type': CONTENT_TYPE }).end(text);
    } catch (error) {
      response.writeHead(500, { 'Content-Type': 'text/plain' }).end(`${(error as Error).message}\n`);
    }
  }

  async #text(named: boolean): Promise<string> {
    const { requests, fleet } = this.#parts;
    return `${await requests.text()}\n${await fleet.text(named)}`;
  }
}
