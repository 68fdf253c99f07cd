/** XML as EC2 writes it: a list becomes `item` elements, a moment ISO 8601 with milliseconds, nothing no element. */

export type XmlValue =
  | string
  | number
  | boolean
  | Date
  | null
  | undefined
  | WrittenXml
  | readonly XmlValue[]
  | { readonly [element: string]: XmlValue };
export type XmlElements = { readonly [element: string]: XmlValue };

/** Elements that were written before and are put in as they are. */
export class WrittenXml {
  readonly text: string;

  constructor(values: XmlElements) {
    // Through bytes: a string that grew piece by piece stays in pieces, which every further use puts together anew.
    this.text = Buffer.from(elements(values)).toString();
  }
}

const NAMESPACE = 'http://ec2.amazonaws.com/doc/2016-11-15/';
export const HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n';

export function responseXml(action: string, requestId: string, result: XmlElements): string {
  const body = elements({ requestId, ...result });
  return `${HEAD}<${action}Response xmlns="${NAMESPACE}">${body}</${action}Response>`;
}

export function errorXml(code: string, message: string, requestId: string): string {
  return `${HEAD}${elements({ Response: { Errors: { Error: { Code: code, Message: message } }, RequestID: requestId } })}`;
}

export function elements(values: XmlElements): string {
  const text = new XmlText();
  text.add(values);
  return text.toString();
}

/**
 * Written for speed, since a page of a thousand instances has some sixty thousand elements: text grows at its end only,
 * and tags are made once.
 */
class XmlText {
  #growing = '';

  add(values: XmlElements): void {
    for (const name of Object.keys(values)) {
      const value = values[name];
      if (value === undefined || value === null) continue;
      const [opening, closing] = tagsOf(name);
      this.#growing += opening;
      this.#content(value);
      this.#growing += closing;
    }
  }

  toString(): string {
    return this.#growing;
  }

  #content(value: XmlValue): void {
    if (typeof value === 'string') this.#growing += escape(value);
    else if (value === null || value === undefined) return;
    else if (typeof value !== 'object') this.#growing += String(value);
    else if (value instanceof Date) this.#growing += value.toISOString();
    else if (value instanceof WrittenXml) this.#growing += value.text;
    else if (!isList(value)) this.add(value);
    else {
      for (const item of value) {
        this.#growing += '<item>';
        this.#content(item);
        this.#growing += '</item>';
      }
    }
  }
}

/** Element names are few: they come from the code, never from a request. */
const TAGS = new Map<string, readonly [opening: string, closing: string]>();

function tagsOf(name: string): readonly [opening: string, closing: string] {
  const known = TAGS.get(name);
  if (known) return known;
  const made = [`<${name}>`, `</${name}>`] as const;
  TAGS.set(name, made);
  return made;
}

function isList(value: XmlValue): value is readonly XmlValue[] {
  return Array.isArray(value);
}

/** XML 1.0 has no way to write most control characters: they become the replacement character. */
function escape(text: string): string {
  return SPECIAL.test(text) ? text.replace(SPECIALS, (special) => ENTITIES[special] ?? '\ufffd') : text;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\r': '&#xD;',
};
const SPECIAL = /[&<>"\r\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;
const SPECIALS = new RegExp(SPECIAL, 'g');
