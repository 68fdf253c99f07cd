/** Events as server-sent events: those after `?after=N` (or Last-Event-ID) first, then each as it comes. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Entry, EventLog, Numbered } from './event-log';

export function followEvents(
  events: EventLog,
  request: IncomingMessage,
  response: ServerResponse,
  query: URLSearchParams,
): void {
  const from = Number(request.headers['last-event-id'] ?? query.get('after') ?? events.last);
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  response.flushHeaders();
  const write = (entry: Numbered<Entry>) => {
    response.write(`id: ${entry.number}\nevent: ${entry.kind}\ndata: ${JSON.stringify(entry)}\n\n`);
  };
  for (const entry of events.after(Number.isFinite(from) ? from : 0)) write(entry);
  const stop = events.follow(write);
  response.once('close', stop);
}
