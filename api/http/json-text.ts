/**
 * JSON as we take it: unlike `JSON.parse`, which lets the last of two equal keys win, and lets through text that
 * Postgres can't keep.
 */

export type JsonText = { ok: true; value: unknown } | { ok: false; malformed: boolean; reason: string };

/** One string token, or one structural character; all between them is numbers, literals and white space. */
const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g;
const UNSTORABLE = /[\0\p{Surrogate}]/u;

export function parseJson(text: string): JsonText {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { ok: false, malformed: true, reason: (error as SyntaxError).message };
  }
  const reason = isPlain(text, value) ? null : findUnacceptable(text);
  return reason === null ? { ok: true, value } : { ok: false, malformed: false, reason };
}

/**
 * Nearly every request: nothing is escaped, and each colon belongs to a key that is still there, so none is there twice.
 * Unescaped, no text holds what can't be kept: it came as UTF-8, and JSON takes no NUL.
 */
function isPlain(text: string, value: unknown): boolean {
  if (text.includes('\\') || text.includes('__proto__')) return false;
  let colons = 0;
  for (let at = text.indexOf(':'); at !== -1; at = text.indexOf(':', at + 1)) colons += 1;
  return colons === countKeys(value);
}

/** NaN, which equals nothing, for what is nested deeper than a request ever is. */
function countKeys(value: unknown, depth = 0): number {
  if (typeof value !== 'object' || value === null) return 0;
  if (depth > 8) return NaN;
  const list = Array.isArray(value);
  let keys = 0;
  // Not over lists of keys and values, which would have to be made: JSON's objects inherit nothing that is listed.
  for (const key in value) {
    if (!list) keys += 1;
    const inner = (value as Record<string, unknown>)[key];
    if (typeof inner === 'object') keys += countKeys(inner, depth + 1);
  }
  return keys;
}

/** @param text well-formed JSON. */
function findUnacceptable(text: string): string | null {
  /** The keys seen in each open object; null for an open array. */
  const open: (Set<string> | null)[] = [];
  let lastString: string | null = null;
  for (const [token] of text.matchAll(TOKENS)) {
    switch (token) {
      case '{':
        open.push(new Set());
        break;
      case '[':
        open.push(null);
        break;
      case '}':
      case ']':
        open.pop();
        break;
      case ',':
        break;
      case ':': {
        const keys = open.at(-1);
        if (!keys || lastString === null) break;
        if (lastString === '__proto__') return 'it has a field named __proto__';
        if (keys.has(lastString)) return `the field ${JSON.stringify(lastString)} is there twice`;
        keys.add(lastString);
        break;
      }
      default:
        lastString = token.includes('\\') ? (JSON.parse(token) as string) : token.slice(1, -1);
        if (UNSTORABLE.test(lastString)) return 'a text holds a NUL character or half of a character';
    }
  }
  return null;
}
