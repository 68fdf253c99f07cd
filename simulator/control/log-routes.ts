/** The logs of calls and events, as lists and to wait on. */
import { ControlError } from './control-error';
import type { Entry, Log, Numbered } from './event-log';
import { numberIn } from './route';
import type { ControlRequest, Route } from './route';

const LONGEST_WAIT_SECONDS = 600;

export const LOG_ROUTES: readonly Route[] = [
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
];

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

/** `action`, `service`, `outcome` (`settled=true`: any but pending and hung). */
function callFilter(query: URLSearchParams) {
  const action = query.get('action');
  const service = query.get('service');
  const outcome = query.get('outcome');
  const settled = query.get('settled') === 'true';
  return (call: Numbered<Entry>) =>
    (action === null || call['action'] === action) &&
    (service === null || call['service'] === service) &&
    (outcome === null || call['outcome'] === outcome) &&
    (!settled || (call['outcome'] !== 'pending' && call['outcome'] !== 'hung'));
}

function eventFilter(query: URLSearchParams) {
  const kind = query.get('kind');
  const instance = query.get('instance_id');
  return (event: Numbered<Entry>) =>
    (kind === null || event.kind === kind) && (instance === null || event['instance_id'] === instance);
}
