/** The API process. */
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import pino from 'pino';
import { EnvironmentError } from '../contracts/environment';
import { targetRules } from '../contracts/notification-targets';
import { listen } from '../db/announcements';
import { connectDatabase } from '../db/connect';
import { listenForEvents } from '../db/event-listener';
import { connectTemporalLazily } from '../temporal/connect';
import { EventFeed } from './events/event-feed';
import { giveSigns } from './intake/signs-of-life';
import { Promotions } from './promotions';
import { createApi } from './server';
import { readApiSettings } from './settings';

/** What is under way at the end gets this long. */
const GRACE_MS = 10_000;

async function main(): Promise<void> {
  const settings = readApiSettings(process.env);
  const log = pino({ level: settings.LOG_LEVEL, base: { process: 'api' } });
  const temporal = connectTemporalLazily(settings);
  const apiDb = connectDatabase(settings.DATABASE_URL, 'spotkeeper_api');
  const ingestDb = connectDatabase(settings.DATABASE_URL, 'spotkeeper_ingest');
  const metricsDb = connectDatabase(settings.DATABASE_URL, 'spotkeeper_metrics', 1);
  const feed = new EventFeed();
  const promotions = new Promotions();
  const listener = listenForEvents(settings.DATABASE_URL, {
    onEvent: (event) => feed.announce(event),
    onGap: () => feed.lookAgain(),
    onOutage: (error) => log.warn({ err: error }, 'events are not heard from the database; trying again'),
  });
  const { server, metricsServer, tokens, intake, closeIdleConnections, drain } = createApi({
    apiDb,
    ingestDb,
    metricsDb,
    temporal: temporal.client,
    feed,
    promotions,
    taskQueue: settings.TASK_QUEUE,
    speed: settings.SPOTKEEPER_SPEED,
    everyBeat: settings.HEARTBEAT_SIGNALS === 'every',
    heartbeatQueue: settings.HEARTBEAT_QUEUE,
    requestTimeoutMs: settings.REQUEST_TIMEOUT_MS,
    workflowUrl: workflowUrls(settings.TEMPORAL_UI_URL, settings.TEMPORAL_NAMESPACE),
    targetRules: targetRules(settings),
    metrics: {
      openToAnyone: settings.METRICS_ACCESS === 'anyone',
      agentSeries: settings.METRICS_AGENT_SERIES,
      cacheSeconds: settings.METRICS_CACHE_SECONDS,
    },
    log,
  });

  const replicas = listen(settings.DATABASE_URL, {
    role: 'spotkeeper_api',
    channel: 'replicas',
    onPayload: (replicaId) => promotions.announce(replicaId),
    onHeard: () => promotions.announce(null),
    onLost: (error) => log.warn({ err: error }, 'promotions are not heard of; replicas ask for them'),
  });
  const revocations = listen(settings.DATABASE_URL, {
    role: 'spotkeeper_api',
    channel: 'token_revocations',
    onPayload: (hash) => tokens.revoked(hash),
    onHeard: () => tokens.heard(),
    onLost(error) {
      tokens.lost();
      log.warn({ err: error }, 'revoked tokens are not heard of; each is looked up again after a moment');
    },
  });
  const sign = giveSigns(ingestDb, intake, log);

  const connections = new Set<Socket>();
  server.on('connection', (socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  /** Those whose answer is given, kept for the next heartbeat, and those that never asked, which Node counts as busy. */
  function closeUnused(): void {
    closeIdleConnections();
    for (const socket of connections) if (socket.bytesRead === 0) socket.destroy();
  }

  let stopping: Promise<void> | null = null;
  async function stop(): Promise<void> {
    log.info('stopping');
    const force = setTimeout(() => process.exit(1), GRACE_MS);
    const closed = new Promise((resolve) => server.close(resolve));
    feed.close();
    promotions.close();
    metricsServer.close();
    metricsServer.closeAllConnections();
    const closing = setInterval(closeUnused, 50);
    await closed;
    clearInterval(closing);
    await drain();
    await sign.stop();
    await Promise.all([
      listener.close(),
      revocations.close(),
      replicas.close(),
      apiDb.destroy(),
      ingestDb.destroy(),
      metricsDb.destroy(),
      temporal.close(),
    ]);
    clearTimeout(force);
    if (process.connected) process.disconnect();
  }
  for (const event of ['SIGTERM', 'SIGINT', 'disconnect']) {
    process.on(event, () => void (stopping ??= stop()));
  }

  await listenOn(server, settings.HOST, settings.PORT, 'PORT');
  if (settings.API_METRICS_ADDRESS) {
    const [host = '', port] = settings.API_METRICS_ADDRESS.split(':');
    await listenOn(metricsServer, host, Number(port), 'API_METRICS_ADDRESS');
  }
  const { address, family, port } = server.address() as AddressInfo;
  const url = `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  process.send?.({ type: 'ready', url });
  log.info({ url }, 'ready');
}

/** @param variable says the port, for whoever has to change it. */
async function listenOn(
  server: Server,
  host: string,
  port: number,
  variable: 'PORT' | 'API_METRICS_ADDRESS',
): Promise<void> {
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const ofPort = variable === 'PORT';
    const why =
      code === 'EADDRINUSE'
        ? `another process listens there; set ${variable} to a free one${ofPort ? ', or to 0 for any' : ''}`
        : `${message}; check ${ofPort ? 'HOST and PORT' : variable}`;
    throw new Error(`it can't listen on ${host}:${port}: ${why}.`, { cause: error });
  }
}

function workflowUrls(ui: string | undefined, namespace: string): (workflowId: string) => string | null {
  if (ui === undefined) return () => null;
  const base = `${ui.replace(/\/+$/, '')}/namespaces/${encodeURIComponent(namespace)}/workflows`;
  return (workflowId) => `${base}/${encodeURIComponent(workflowId)}`;
}

main().catch((error: unknown) => {
  const reason = error instanceof Error ? error.message : String(error);
  process.stderr.write(
    error instanceof EnvironmentError ? `${reason}\n` : `The API can't start: ${reason}\n`,
  );
  process.exit(error instanceof EnvironmentError ? 2 : 1);
});
