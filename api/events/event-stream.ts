/** `GET /api/events`: system events as server-sent events, from where the reader left off. */
import { once } from 'node:events';
import { type Request, type Response, Router } from 'express';
import type { SystemEventView } from '../../contracts/http';
import { type Db, inScope } from '../../db/connect';
import { idBeforeNewest, readEvents } from '../../db/event-reads';
import { requireKind } from '../http/access';
import type { Authenticator, Caller } from '../http/bearer';
import { Problem } from '../http/problem';
import { queryText, route } from '../http/route';
import type { EventFeed, Follower } from './event-feed';

export interface EventStreamParts {
  apiDb: Db;
  authenticator: Authenticator;
  feed: EventFeed;
}

/** Proxies drop what is silent for long; and a token that was revoked ends its stream within this. */
const KEEP_ALIVE_MS = 15_000;
const PAGE = 500;
/** Ids of the latest events sent, to know again one whose lower id became visible late. */
const REMEMBERED = 2_000;

export function eventRoutes(parts: EventStreamParts): Router {
  const router = Router();
  route(router, '/api/events', {
    GET: async (request, response) => {
      const caller = requireKind(await parts.authenticator.caller(request), 'admin', 'client', 'user');
      const { after, last } = startOf(request);
      if (request.method === 'HEAD') {
        response.type('text/event-stream').end();
        return;
      }
      const scope = scopeOf(caller);
      const follower = parts.feed.follow(caller.kind === 'admin' ? null : caller.clientId);
      response.once('close', () => parts.feed.leave(follower));
      try {
        const newest = (transaction: Db) => idBeforeNewest(transaction, last);
        const start = after ?? (await inScope(parts.apiDb, scope, newest));
        response.writeHead(200, {
          'Content-Type': 'text/event-stream',
          'Cache-Control': 'no-store',
          'X-Accel-Buffering': 'no',
        });
        response.flushHeaders();
        await stream(parts, request, response, follower, scope, start);
        response.end();
      } finally {
        parts.feed.leave(follower);
      }
    },
  });
  return router;
}

type Scope = { admin: true } | { clientId: string };

function scopeOf(caller: Caller & { kind: 'admin' | 'client' | 'user' }): Scope {
  return caller.kind === 'admin' ? { admin: true } : { clientId: caller.clientId };
}

const MOST_LAST = 500;

/** After an event, or with the `last` ones before now; by default with what happens from now on. */
function startOf(request: Request): { after: string | null; last: number } {
  const after = request.get('Last-Event-ID') ?? queryText(request, 'after');
  if (after !== null && !/^\d{1,18}$/.test(after)) {
    throw new Problem(400, 'invalid_query', "Last-Event-ID and after take an event's id, a whole number.");
  }
  const last = queryText(request, 'last') ?? '0';
  if (!/^\d{1,3}$/.test(last) || Number(last) > MOST_LAST) {
    throw new Problem(400, 'invalid_query', `last takes a whole number from 0 to ${MOST_LAST}.`);
  }
  return { after, last: Number(last) };
}

async function stream(
  { apiDb, authenticator, feed }: EventStreamParts,
  request: Request,
  response: Response,
  follower: Follower,
  scope: Scope,
  start: string,
): Promise<void> {
  let after = start;
  const sent = new Set<string>();
  const open = () => !feed.closed && !response.destroyed && !response.writableEnded;
  while (open()) {
    const { timedOut, announced } = await follower.next(KEEP_ALIVE_MS);
    if (!open()) return;
    if (timedOut) {
      // Fails, and so ends the stream, once the token is no longer good.
      await authenticator.caller(request);
      await write(response, ': keep-alive\n\n');
      continue;
    }
    const also = announced.filter((id) => !sent.has(id));
    const events = await inScope(apiDb, scope, (transaction) => readEvents(transaction, after, also, PAGE));
    for (const event of events) {
      if (sent.has(event.id)) continue;
      remember(sent, event.id);
      if (BigInt(event.id) > BigInt(after)) after = event.id;
      await write(response, textOf(event));
    }
    if (events.length === PAGE) follower.lookAgain();
  }
}

function remember(sent: Set<string>, id: string): void {
  sent.add(id);
  if (sent.size > REMEMBERED) sent.delete(sent.values().next().value ?? '');
}

function textOf(event: SystemEventView): string {
  return `id: ${event.id}\nevent: ${event.event_type}\ndata: ${JSON.stringify(event)}\n\n`;
}

/** A reader that is slow is waited for, and one that left ends the wait. */
async function write(response: Response, text: string): Promise<void> {
  if (response.write(text) || response.destroyed) return;
  const left = new AbortController();
  const leave = () => left.abort();
  response.once('close', leave);
  try {
    await once(response, 'drain', { signal: left.signal });
  } catch (error) {
    if (!left.signal.aborted) throw error;
  } finally {
    response.off('close', leave);
  }
}
