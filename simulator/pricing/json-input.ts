/** A call's JSON input, and its checks. */
import { PricingError } from './errors';

export type JsonInput = Readonly<Record<string, unknown>>;

const DEEPEST = 8;

/** @throws PricingError for what is no JSON object. */
export function readInput(body: string): JsonInput {
  let input: unknown;
  try {
    input = JSON.parse(body === '' ? '{}' : body);
  } catch (error) {
    if (error instanceof SyntaxError) throw new PricingError('SerializationException', '');
    throw error;
  }
  if (!isObject(input)) throw new PricingError('SerializationException', '');
  return input;
}

/** `Filters.1.Field` → its value, as the query protocol would write it. What is nested deeper than any input stays out. */
export function flatten(input: JsonInput): ReadonlyMap<string, string> {
  const flat = new Map<string, string>();
  const add = (name: string, value: unknown, depth: number): void => {
    if (depth > DEEPEST) return;
    if (Array.isArray(value)) {
      for (const [index, item] of value.entries()) add(`${name}.${index + 1}`, item, depth + 1);
    } else if (isObject(value)) {
      for (const [key, item] of Object.entries(value)) add(name ? `${name}.${key}` : key, item, depth + 1);
    } else if (value !== null && value !== undefined) {
      flat.set(name, String(value));
    }
  };
  add('', input, 0);
  return flat;
}

/** Null when it isn't there. @throws PricingError for another type. */
export function text(input: JsonInput, name: string): string | null {
  const value = input[name] ?? null;
  if (value !== null && typeof value !== 'string') throw wrongType(name, 'String');
  return value;
}

export function requiredText(input: JsonInput, name: string): string {
  const value = text(input, name);
  if (!value) throw invalid(`${name} is required.`);
  return value;
}

export function integer(
  input: JsonInput,
  name: string,
  { min, max, usual }: { min: number; max: number; usual: number },
): number {
  const value = input[name] ?? null;
  if (value === null) return usual;
  if (typeof value !== 'number' || !Number.isInteger(value)) throw wrongType(name, 'Integer');
  if (value < min || value > max) throw invalid(`${name} must be from ${min} to ${max}.`);
  return value;
}

export function objects(input: JsonInput, name: string): JsonInput[] {
  const value = input[name] ?? [];
  if (!Array.isArray(value) || !value.every(isObject)) throw wrongType(name, 'List');
  return value;
}

export function invalid(message: string): PricingError {
  return new PricingError('InvalidParameterException', `Input Parameters are invalid. ${message}`);
}

function wrongType(name: string, type: string): PricingError {
  return new PricingError('SerializationException', `${name} can not be converted to ${type}`);
}

function isObject(value: unknown): value is JsonInput {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
