/** The control API's calls. Each takes JSON, checked here, and answers JSON. */
import { z } from 'zod';
import type { Instance } from '../books/entities';
import type { Cloud } from '../cloud';
import { HOST_FAILED, isActive, SPOT_TAKEN } from '../instances/lifecycle';
import type { PoolRecord } from '../market/market';
import type { CallLog } from './call-log';
import { ControlError } from './control-error';
import type { Entry, Log, Numbered } from './event-log';
import { FAULT_MODES } from './faults';
import type { Faults } from './faults';
import { describeInstance, describeMarket, describeTime } from './views';

export interface ControlParts {
  readonly cloud: Cloud;
  readonly calls: CallLog;
  readonly faults: Faults;
}

interface ControlRequest extends ControlParts {
  /** The instance id in the path, where the path has one. */
  readonly argument: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
  readonly gone: AbortSignal;
}

interface Route {
  readonly method: 'GET' | 'POST';
  readonly path: RegExp;
  readonly run: (request: ControlRequest) => unknown;
}

const LONGEST_WAIT_SECONDS = 600;

const poolsSchema = z.strictObject({
  zone: z.string().optional(),
  instance_type: z.string().optional(),
  option: z.enum(['spot', 'ondemand']).default('spot'),
});
const noticeSchema = z.strictObject({ seconds: z.number().min(0).max(86_400).optional() });
const advanceSchema = z.strictObject({ seconds: z.number().min(0).max(10_000_000) });
const faultSchema = z.strictObject({
  action: z.string().min(1),
  kind: z.string().min(1),
  count: z.number().int().min(1).max(1_000_000).default(1),
  message: z.string().default('A fault was asked for by the control API.'),
  status: z.number().int().min(400).max(599).nullable().default(null),
  match: z.record(z.string(), z.string()).default({}),
});
const nothingSchema = z.strictObject({});

export const ROUTES: readonly Route[] = [
  { method: 'GET', path: /^\/market$/, run: ({ cloud }) => describeMarket(cloud) },
  { method: 'POST', path: /^\/pools\/take$/, run: (request) => holdPools(request, false) },
  { method: 'POST', path: /^\/pools\/give-back$/, run: (request) => holdPools(request, true) },
  { method: 'POST', path: /^\/pools\/release$/, run: (request) => holdPools(request, null) },
  {
    method: 'GET',
    path: /^\/instances$/,
    run: ({ cloud }) => cloud.books.all('instance').map((instance) => describeInstance(cloud, instance)),
  },
  {
    method: 'GET',
    path: /^\/instances\/([^/]+)$/,
    run: (request) => describeInstance(request.cloud, findInstance(request)),
  },
  {
    method: 'POST',
    path: /^\/instances\/([^/]+)\/notice$/,
    run: (request) => {
      const { seconds } = check(noticeSchema, request.body);
      const instance = activeInstance(request);
      if (instance.option !== 'spot')
        throw new ControlError(409, `${instance.id} is on-demand: EC2 doesn't take it.`);
      request.cloud.notify(instance, seconds);
      return describeInstance(request.cloud, findInstance(request));
    },
  },
  {
    method: 'POST',
    path: /^\/instances\/([^/]+)\/rebalance$/,
    run: (request) => {
      check(nothingSchema, request.body);
      request.cloud.recommendRebalance(activeInstance(request));
      return describeInstance(request.cloud, findInstance(request));
    },
  },
  {
    method: 'POST',
    path: /^\/instances\/([^/]+)\/crash$/,
    run: (request) => {
      check(nothingSchema, request.body);
      const { id } = findInstance(request);
      if (!request.cloud.machines.crash(id)) throw new ControlError(409, `No agent process runs on ${id}.`);
      return { crashed: id };
    },
  },
  {
    method: 'POST',
    path: /^\/instances\/([^/]+)\/vanish$/,
    run: (request) => {
      check(nothingSchema, request.body);
      const instance = activeInstance(request);
      request.cloud.endInstances([instance], instance.option === 'spot' ? SPOT_TAKEN : HOST_FAILED);
      return describeInstance(request.cloud, findInstance(request));
    },
  },
  { method: 'GET', path: /^\/faults$/, run: ({ faults }) => ({ faults: faults.list(), held: faults.held }) },
  {
    method: 'POST',
    path: /^\/faults$/,
    run: ({ faults, body }) => {
      const { count, kind, ...fault } = check(faultSchema, body);
      const mode = FAULT_MODES.find((known) => known === kind) ?? 'error';
      return faults.add({ ...fault, mode, code: kind }, count);
    },
  },
  {
    method: 'POST',
    path: /^\/faults\/clear$/,
    run: ({ faults }) => {
      faults.clear();
      return { faults: [] };
    },
  },
  { method: 'POST', path: /^\/faults\/release$/, run: ({ faults }) => ({ released: faults.release() }) },
  {
    method: 'GET',
    path: /^\/calls$/,
    run: ({ calls, query }) => calls.after(numberIn(query, 'after', 0), callFilter(query)),
  },
  {
    method: 'GET',
    path: /^\/calls\/wait$/,
    run: (request) => waitFor(request, request.calls, callFilter(request.query)),
  },
  {
    method: 'GET',
    path: /^\/events\/list$/,
    run: ({ cloud, query }) => cloud.events.after(numberIn(query, 'after', 0), eventFilter(query)),
  },
  {
    method: 'GET',
    path: /^\/events\/wait$/,
    run: (request) => waitFor(request, request.cloud.events, eventFilter(request.query)),
  },
  { method: 'GET', path: /^\/clock$/, run: ({ cloud }) => describeTime(cloud) },
  {
    method: 'POST',
    path: /^\/clock\/advance$/,
    run: ({ cloud, body }) => {
      const { seconds } = check(advanceSchema, body);
      if (!cloud.clock.paused)
        throw new ControlError(409, 'The clock runs by itself; --paused-clock stops it.');
      cloud.advanceClock(seconds);
      return describeTime(cloud);
    },
  },
];

function holdPools({ cloud, body }: ControlRequest, available: boolean | null): unknown {
  const { zone, instance_type, option } = check(poolsSchema, body);
  const pools = cloud.market
    .pools()
    .filter((pool: PoolRecord) => zone === undefined || pool.zone === zone)
    .filter((pool) => instance_type === undefined || pool.instanceType === instance_type);
  if (pools.length === 0) {
    throw new ControlError(
      404,
      `The market has no pool of ${instance_type ?? 'any type'} in ${zone ?? 'any zone'}.`,
    );
  }
  cloud.holdPools(pools, option, available);
  return { option, pools: pools.map((pool) => ({ zone: pool.zone, instance_type: pool.instanceType })) };
}

async function waitFor<E extends Entry>(
  { query, gone }: ControlRequest,
  log: Log<E>,
  matches: (entry: Numbered<E>) => boolean,
): Promise<unknown> {
  const seconds = numberIn(query, 'timeout_seconds', 30);
  const after = numberIn(query, 'after', 0);
  const entry = await log.wait(after, matches, Math.min(seconds, LONGEST_WAIT_SECONDS) * 1000, gone);
  if (entry) return entry;
  throw new ControlError(504, `Nothing that matches ${query} came within ${seconds} s.`);
}

/** `action`, `outcome` (`settled=true`: any but pending and hung). */
function callFilter(query: URLSearchParams) {
  const action = query.get('action');
  const outcome = query.get('outcome');
  const settled = query.get('settled') === 'true';
  return (call: Numbered<Entry>) =>
    (action === null || call['action'] === action) &&
    (outcome === null || call['outcome'] === outcome) &&
    (!settled || (call['outcome'] !== 'pending' && call['outcome'] !== 'hung'));
}

function eventFilter(query: URLSearchParams) {
  const kind = query.get('kind');
  const instance = query.get('instance_id');
  return (event: Numbered<Entry>) =>
    (kind === null || event.kind === kind) && (instance === null || event['instance_id'] === instance);
}

function findInstance({ cloud, argument }: ControlRequest): Instance {
  const instance = cloud.books.get('instance', argument);
  if (!instance) throw new ControlError(404, `There is no instance ${argument}.`);
  return instance;
}

function activeInstance(request: ControlRequest): Instance {
  const instance = findInstance(request);
  if (!isActive(instance)) throw new ControlError(409, `${instance.id} is ${instance.state} already.`);
  return instance;
}

function numberIn(query: URLSearchParams, name: string, usual: number): number {
  const text = query.get(name);
  const number = text === null || text === '' ? usual : Number(text);
  if (!Number.isFinite(number) || number < 0) {
    throw new ControlError(400, `${name} is not usable: got "${text}"; it takes a number from 0.`);
  }
  return number;
}

function check<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ControlError(400, `The body is not usable: ${issue?.path.join('.') || 'it'}: ${issue?.message}.`);
}
