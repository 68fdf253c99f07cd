/** The API as one HTTP server: the heartbeat intake first, everything else by Express. */
import { createServer, type Server, type ServerOptions } from 'node:http';
import type { Socket } from 'node:net';
import type { Client } from '@temporalio/client';
import express, { type ErrorRequestHandler, type Express } from 'express';
import type { Logger } from 'pino';
import type { TargetRules } from '../contracts/notification-targets';
import type { Db } from '../db/connect';
import { readOutbox } from '../db/outbox';
import { signalSender } from '../temporal/signal-sender';
import { accountRoutes } from './account-routes';
import { agentDownload } from './agent-download';
import { agentRoutes } from './agent-routes';
import { dashboardFiles } from './dashboard-files';
import type { EventFeed } from './events/event-feed';
import { eventRoutes } from './events/event-stream';
import { Authenticator } from './http/bearer';
import { problemOf } from './http/failures';
import { Problem, writeProblem } from './http/problem';
import { fleetRoutes } from './fleet-routes';
import { instanceRoutes } from './instance-routes';
import type { TokenCache } from './http/token-cache';
import { type ConnectionsOptions, HeartbeatConnections } from './intake/heartbeat-connections';
import { beatAddressOf } from './intake/heartbeat-head';
import { HeartbeatIntake } from './intake/heartbeat-intake';
import { addOutboxGauges } from './intake/outbox-gauges';
import { SignalDelivery } from './intake/signal-delivery';
import type { StatusAgents } from './intake/status-agents';
import { massSilenceRoutes } from './mass-silence-routes';
import { notificationRoutes } from './notification-routes';
import { lifecycleRoutes } from './lifecycle-routes';
import { peopleRoutes } from './people-routes';
import { FleetMetrics } from './prometheus/fleet-metrics';
import { MetricsPage } from './prometheus/metrics-page';
import { ProcessMetrics } from './prometheus/process-metrics';
import { readinessRoutes } from './readiness';
import type { Promotions } from './promotions';
import { replicaRoutes } from './replica-routes';
import { stopSwitchRoutes } from './stop-switch-routes';

export interface ApiParts {
  apiDb: Db;
  ingestDb: Db;
  metricsDb: Db;
  temporal: Client;
  feed: EventFeed;
  promotions: Promotions;
  taskQueue: string;
  /** Divides the durations of policies. */
  speed: number;
  /** Each heartbeat becomes a signal. */
  everyBeat: boolean;
  /** How many heartbeats may wait. */
  heartbeatQueue: number;
  requestTimeoutMs: number;
  workflowUrl: (workflowId: string) => string | null;
  /** Where notifications may be sent. */
  targetRules: TargetRules;
  metrics: { openToAnyone: boolean; agentSeries: number; cacheSeconds: number };
  log: Logger;
}

/** A sender that is slower, or holds a connection without a word, isn't waited for. */
function patience(requestTimeoutMs: number) {
  return {
    requestTimeout: requestTimeoutMs,
    headersTimeout: requestTimeoutMs / 2,
    connectionsCheckingInterval: Math.min(2_000, requestTimeoutMs / 4),
    // Longer than the sources' longest pause between two heartbeats.
    keepAliveTimeout: 75_000,
  } satisfies ServerOptions;
}

export interface Api {
  server: Server;
  /** Answers Prometheus alone, with names. */
  metricsServer: Server;
  /** To be told of revocations. */
  tokens: TokenCache;
  intake: HeartbeatIntake;
  /** Closes connections whose answers are given, kept for the next request. */
  closeIdleConnections(): void;
  /** Once nothing more comes in: resolves when what came is stored, and what is being delivered is delivered. */
  drain(): Promise<void>;
}

export function createApi(parts: ApiParts): Api {
  const { ingestDb, log } = parts;
  const authenticator = new Authenticator(parts.apiDb);
  const delivery = new SignalDelivery(ingestDb, signalSender(parts.temporal), log);
  const intake = new HeartbeatIntake({ ...parts, maxWaiting: parts.heartbeatQueue, authenticator, delivery });
  const requests = new ProcessMetrics();
  const fleet = new FleetMetrics({ ...parts, ...parts.metrics });
  const page = new MetricsPage({ authenticator, requests, fleet, ...parts.metrics });
  const { statusAgents } = intake;
  const app = createApp({ ...parts, authenticator, delivery, page, statusAgents });
  addOutboxGauges(requests.registry, () => readOutbox(ingestDb));
  const timeouts = patience(parts.requestTimeoutMs);
  const server = createServer(timeouts, (request, response) => {
    const address = beatAddressOf(request.method, request.url);
    if (address !== null) {
      const startMs = performance.now();
      void intake
        .answer(address, request, response)
        .then(() => requests.heartbeat(response.statusCode, startMs));
      return;
    }
    requests.watch(request, response);
    app(request, response);
  });
  server.on('clientError', answerUnreadable);
  const connections = beginWithHeartbeats(server, {
    intake,
    tooSlow: (socket) => answerUnreadable({ code: TOO_SLOW }, socket),
    answered: (status, startMs) => requests.heartbeat(status, startMs),
    headersTimeoutMs: timeouts.headersTimeout,
    requestTimeoutMs: timeouts.requestTimeout,
    keepAliveMs: timeouts.keepAliveTimeout,
  });
  return {
    server,
    metricsServer: page.server(),
    tokens: authenticator.cache,
    intake,
    closeIdleConnections() {
      server.closeIdleConnections();
      connections.closeIdle();
    },
    async drain() {
      await intake.idle();
      await delivery.stop();
      await fleet.stop();
    },
  };
}

/** Connections begin as heartbeats', and the server's own listener takes those that bring something else. */
function beginWithHeartbeats(
  server: Server,
  options: Omit<ConnectionsOptions, 'handOver'>,
): HeartbeatConnections {
  const [byHttp] = server.listeners('connection') as ((socket: Socket) => void)[];
  if (byHttp === undefined) throw new TypeError('The HTTP server listens to no connections.');
  const connections = new HeartbeatConnections({
    ...options,
    handOver: (socket) => byHttp.call(server, socket),
  });
  server.off('connection', byHttp);
  server.on('connection', (socket: Socket) => connections.begin(socket));
  return connections;
}

function createApp(
  parts: ApiParts & {
    authenticator: Authenticator;
    delivery: SignalDelivery;
    page: MetricsPage;
    statusAgents: StatusAgents;
  },
): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(
    readinessRoutes(parts),
    parts.page.routes(),
    accountRoutes(parts),
    agentRoutes(parts),
    peopleRoutes(parts),
    fleetRoutes(parts),
    instanceRoutes(parts),
    lifecycleRoutes(parts),
    replicaRoutes(parts),
    stopSwitchRoutes(parts),
    massSilenceRoutes(parts),
    notificationRoutes(parts),
    eventRoutes(parts),
    agentDownload(),
  );
  app.use(dashboardFiles());
  app.use((request) => {
    throw new Problem(404, 'not_found', `There is nothing at ${request.path}.`);
  });
  const onError: ErrorRequestHandler = (error, _request, response, _next) => {
    writeProblem(response, problemOf(error, parts.log));
  };
  app.use(onError);
  return app;
}

const TOO_SLOW = 'ERR_HTTP_REQUEST_TIMEOUT';

/** What isn't HTTP gets its answer from the bare socket. */
function answerUnreadable(error: Pick<NodeJS.ErrnoException, 'code'>, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const tooLarge = error.code === 'HPE_HEADER_OVERFLOW';
  const late = error.code === TOO_SLOW;
  const problem = tooLarge
    ? new Problem(431, 'headers_too_long', 'The headers of the request are too long.')
    : late
      ? new Problem(408, 'too_slow', 'The request took too long to arrive.')
      : new Problem(400, 'bad_request', 'The request is not HTTP/1.1 that this server can read.');
  const { status, title } = problem.document();
  const body = JSON.stringify(problem.document());
  socket.end(
    `HTTP/1.1 ${status} ${title}\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
