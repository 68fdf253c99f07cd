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
  const reason = findUnacceptable(text);
  return reason === null ? { ok: true, value } : { ok: false, malformed: false, reason };
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
