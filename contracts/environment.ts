/** Reads a process's environment by a zod schema; a bad value is a sentence that names the variable. */
import { z } from 'zod';

export class EnvironmentError extends Error {
  override name = 'EnvironmentError';
}

/**
 * The validated settings. Empty variables count as unset. Each schema field's `.describe()` says what the variable
 * takes and is quoted in the error.
 * @throws EnvironmentError with one sentence a bad variable.
 */
export function readEnvironment<S extends z.ZodObject>(
  schema: S,
  environment: NodeJS.ProcessEnv,
): z.infer<S> {
  const present = Object.fromEntries(
    Object.keys(schema.shape)
      .map((name) => [name, environment[name]] as const)
      .filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = schema.safeParse(present);
  if (parsed.success) return parsed.data;
  const sentences = new Map<string, string>();
  for (const issue of parsed.error.issues) {
    const name = String(issue.path[0] ?? 'environment');
    const got = present[name] === undefined ? 'it is not set' : `got "${redact(name, present[name])}"`;
    const takes = (schema.shape[name] as z.ZodType | undefined)?.description ?? issue.message;
    sentences.set(name, `The environment variable ${name} is not usable: ${got}; it takes ${takes}.`);
  }
  throw new EnvironmentError([...sentences.values()].join('\n'));
}

/** A secret isn't printed, nor is a password inside an address. */
function redact(name: string, value: string): string {
  if (/TOKEN|KEY|SECRET|PASSWORD/.test(name)) return '(hidden)';
  return value.replace(/(:\/\/[^:/@]*):[^@/]*@/, '$1:(hidden)@');
}

/** A whole number from text, within bounds. */
export function wholeNumber(min: number, max: number) {
  return z.coerce.number().int().min(min).max(max);
}

export const portVariable = wholeNumber(0, 65_535).describe('a port number from 0 (any free one) to 65535');

export const speedVariable = z.coerce
  .number()
  .min(1)
  .max(100_000)
  .default(1)
  .describe('a number from 1 to 100000 by which the durations of policies are divided');
