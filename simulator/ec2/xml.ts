/** XML as EC2 writes it: a list becomes `item` elements, a moment ISO 8601 with milliseconds, nothing no element. */

export type XmlValue =
  | string
  | number
  | boolean
  | Date
  | null
  | undefined
  | readonly XmlValue[]
  | { readonly [element: string]: XmlValue };
export type XmlElements = { readonly [element: string]: XmlValue };

const NAMESPACE = 'http://ec2.amazonaws.com/doc/2016-11-15/';
export const HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n';

export function responseXml(action: string, requestId: string, result: XmlElements): string {
  const body = elements({ requestId, ...result });
  return `${HEAD}<${action}Response xmlns="${NAMESPACE}">${body}</${action}Response>`;
}

export function errorXml(code: string, message: string, requestId: string): string {
  return `${HEAD}${elements({ Response: { Errors: { Error: { Code: code, Message: message } }, RequestID: requestId } })}`;
}

/** Written for speed, one string growing: a page of a thousand instances has some sixty thousand elements. */
export function elements(values: XmlElements): string {
  let xml = '';
  for (const name of Object.keys(values)) {
    const value = values[name];
    if (value === undefined || value === null) continue;
    xml += `<${name}>${content(value)}</${name}>`;
  }
  return xml;
}

function content(value: XmlValue): string {
  if (typeof value === 'string') return escape(value);
  if (value === null || value === undefined) return '';
  if (typeof value !== 'object') return String(value);
  if (value instanceof Date) return value.toISOString();
  if (!isList(value)) return elements(value);
  let xml = '';
  for (const item of value) xml += `<item>${content(item)}</item>`;
  return xml;
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
