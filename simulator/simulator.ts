/** Puts the simulated cloud together, and takes it down in the right order. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { Books } from './books/books';
import { FORMAT } from './books/entities';
import type { Identity } from './books/entities';
import { CloudClock } from './clock';
import { Cloud } from './cloud';
import { EventLog } from './control/event-log';
import { baseImageId } from './ec2/image-catalog';
import { InstanceFiles } from './instances/instance-files';
import { Machines } from './instances/machines';
import { listenOnLoopback } from './loopback-server';
import type { Market } from './market/market';
import { readRecordedMarket } from './market/recorded';
import { makeSyntheticMarket } from './market/synthetic';
import { openServices } from './open-services';
import { UsageError } from './options';
import type { Options } from './options';
import { IDENTITY_CERTIFICATE, occupy, startOver } from './state-folder';
import { DiskFiles } from './storage/disk-files';

export interface Simulator {
  readonly ready: Ready;
  readonly events: EventLog;
  stop(): Promise<void>;
}

/** What callers of the cloud need to know. */
export interface Ready {
  readonly cloudUrl: string;
  readonly imdsUrl: string;
  readonly controlUrl: string;
  readonly region: string;
  /** The base image of that region. */
  readonly imageId: string;
  readonly accountId: string;
  readonly instanceTypes: readonly string[];
  readonly regions: readonly string[];
}

const KEEP_TIME_MILLISECONDS = 1000;

/**
 * @param onError hears what went wrong without ending it; `onFatal` what it can't go on with.
 * @throws Error, one sentence, when it can't start. UsageError when the flags are why.
 */
export async function startSimulator(
  options: Options,
  onError: (error: unknown) => void,
  onFatal: (error: Error) => void,
): Promise<Simulator> {
  const agentProgram = options.boot === 'process' ? options.agentProgram : null;
  if (agentProgram !== null && !existsSync(agentProgram)) {
    throw new UsageError(
      `The agent program ${agentProgram} isn't there: build it with \`npm run build\`, name another with --agent-program, or take --boot none.`,
    );
  }
  const market = readMarket(options);
  const folder = options.stateFolder ?? mkdtempSync(path.join(tmpdir(), 'spotkeeper-cloud-'));
  const unlock = occupy(folder);
  const leave = () => {
    unlock();
    if (options.stateFolder === null) rmSync(folder, { recursive: true, force: true });
  };
  try {
    if (options.fresh) await startOver(folder);
    const books = new Books(folder);
    const identity = agreeOnIdentity(books, market, options);
    await books.open(onFatal);
    return await open(options, { market, books, identity, agentProgram, onError, leave });
  } catch (error) {
    leave();
    throw error;
  }
}

interface Opening {
  readonly market: Market;
  readonly books: Books;
  readonly identity: Identity;
  readonly agentProgram: string | null;
  readonly onError: (error: unknown) => void;
  readonly leave: () => void;
}

async function open(
  options: Options,
  { market, books, identity, agentProgram, onError, leave }: Opening,
): Promise<Simulator> {
  const clock = new CloudClock({
    speed: options.speed,
    paused: options.pausedClock,
    position: books.position,
    anchors: books.get('anchors', 'clock') ?? [],
    monotonic: () => performance.now(),
    wall: () => Date.now(),
  });
  const events = new EventLog();
  const files = new InstanceFiles(books.folder, new DiskFiles(books.folder));
  const cloud = new Cloud({
    accountId: options.accountId,
    books,
    clock,
    market,
    events,
    files,
    random: Math.random,
    onError,
    durations: {
      boot: options.bootSeconds,
      shutdown: options.shutdownSeconds,
      consistency: options.consistencySeconds,
      image: options.imageSeconds,
      snapshot: options.snapshotSeconds,
      volume: options.volumeSeconds,
    },
  });
  await cloud.storage.restore();
  const services = openServices({ cloud, identity, options, onError });
  const { metadata, endpoint, control } = services;
  const machines = new Machines({
    books,
    files,
    events,
    now: () => clock.now(),
    agentProgram,
    passEnvironment: options.passEnvironment,
    restartMilliseconds: (options.restartSeconds / options.speed) * 1000,
    openMetadata: (id, wished) =>
      listenOnLoopback(wished, (request, response) => metadata.answerOwn(id, request, response)),
    onError,
  });

  const last = books.get('ports', 'servers');
  const cloudServer = await listenOnLoopback(
    options.port ?? last?.cloud ?? null,
    (request, response) => void endpoint.answer(request, response),
    options.port !== null,
  ).catch((error: Error) => {
    throw new Error(
      `The simulated cloud can't listen on port ${options.port ?? 'of its choice'}: ${error.message}.`,
      { cause: error },
    );
  });
  const metadataServer = await listenOnLoopback(last?.metadata ?? null, (request, response) =>
    metadata.answerShared(request, response),
  );
  const controlServer = await listenOnLoopback(
    last?.control ?? null,
    (request, response) => void control.answer(request, response),
  );
  const servers = [cloudServer, metadataServer, controlServer];
  books.commit(books.position, [
    ['identity', 'cloud', identity],
    ['anchors', 'clock', clock.anchors],
    [
      'ports',
      'servers',
      { cloud: cloudServer.port, metadata: metadataServer.port, control: controlServer.port },
    ],
  ]);
  await books.durable();
  writeFileSync(path.join(books.folder, IDENTITY_CERTIFICATE), services.signer.certificate);
  cloud.start(machines);
  const keepTime = setInterval(() => cloud.keepTime(), KEEP_TIME_MILLISECONDS);

  return {
    events,
    ready: {
      cloudUrl: cloudServer.url,
      imdsUrl: metadataServer.url,
      controlUrl: controlServer.url,
      region: identity.region,
      imageId: baseImageId(identity.region),
      accountId: options.accountId,
      instanceTypes: market.instanceTypes(identity.region),
      regions: market.regions(),
    },
    async stop() {
      clearInterval(keepTime);
      services.delays.close();
      await Promise.all(servers.map((server) => server.close()));
      cloud.stop();
      await machines.stop();
      await files.disks.idle();
      await books.close();
      leave();
    },
  };
}

function readMarket(options: Options): Market {
  try {
    return options.traces === null
      ? makeSyntheticMarket(options.seed, options.marketStartTick)
      : readRecordedMarket(options.traces, options.marketStartTick);
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}

/** What the state is bound to. @throws UsageError when the flags ask for another cloud than the state's. */
function agreeOnIdentity(books: Books, market: Market, options: Options): Identity {
  if (options.region !== null && !market.regions().includes(options.region)) {
    throw new UsageError(
      `The flag --region is not usable: got "${options.region}"; it takes one of the market's: ${market.regions().join(', ')}.`,
    );
  }
  const kept = books.get('identity', 'cloud');
  if (!kept) {
    return {
      format: FORMAT,
      market: market.name,
      speed: options.speed,
      accountId: options.accountId,
      region: options.region ?? mostAvailableRegion(market),
      metadataSecret: randomBytes(32).toString('base64url'),
    };
  }
  const differences = [
    kept.format === FORMAT ? [] : ['another release of the simulator wrote it'],
    kept.market === market.name ? [] : [`it is of ${kept.market}, the flags ask for ${market.name}`],
    kept.speed === options.speed ? [] : [`its speed is ${kept.speed}, the flags ask for ${options.speed}`],
    kept.accountId === options.accountId
      ? []
      : [`its account is ${kept.accountId}, the flags ask for ${options.accountId}`],
  ].flat();
  if (differences.length > 0) {
    throw new UsageError(
      `The state in ${books.folder} is another cloud's: ${differences.join('; ')}. Take the flags it was made with, another --state, or --fresh to start over.`,
    );
  }
  return { ...kept, region: options.region ?? kept.region };
}

function mostAvailableRegion(market: Market): string {
  const available = (region: string) =>
    market.pools(region).filter((pool) => market.isAvailable(pool, 0)).length;
  const [best] = market.regions().sort((a, b) => available(b) - available(a));
  return best as string;
}
