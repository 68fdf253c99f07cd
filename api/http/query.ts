/** Reads a request's query parameters by a schema whose descriptions complete the sentences of refusals. */
import type { Request } from 'express';
import type { z } from 'zod';
import { Problem } from './problem';

/** Empty parameters count as left out, unknown ones are ignored. @throws Problem 400 */
export function readQuery<S extends z.ZodObject>(request: Request, schema: S): z.output<S> {
  const given: Record<string, string> = {};
  for (const name of Object.keys(schema.shape)) {
    const value = request.query[name];
    if (value === undefined || value === '') continue;
    if (typeof value !== 'string') throw invalid(`The query parameter ${name} may be there once.`);
    // Postgres takes no such text.
    if (value.includes('\0')) throw invalid(`The query parameter ${name} holds a zero byte.`);
    given[name] = value;
  }
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const sentences = new Set(
    parsed.error.issues.map(({ path, message }) => {
      const name = String(path[0]);
      const takes = (schema.shape[name] as z.ZodType | undefined)?.description ?? message;
      return `The query parameter ${name} takes ${takes}.`;
    }),
  );
  throw invalid([...sentences].join(' '));
}

function invalid(detail: string): Problem {
  return new Problem(400, 'invalid_query', detail);
}
