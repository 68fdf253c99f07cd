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

export function elements(values: XmlElements): string {
  return Object.entries(values)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([name, value]) => `<${name}>${content(value)}</${name}>`)
    .join('');
}

function content(value: XmlValue): string {
  if (value === null || value === undefined) return '';
  if (value instanceof Date) return value.toISOString();
  if (isList(value)) return value.map((item) => `<item>${content(item)}</item>`).join('');
  if (typeof value === 'object') return elements(value);
  return escape(String(value));
}

function isList(value: XmlValue): value is readonly XmlValue[] {
  return Array.isArray(value);
}

/** XML 1.0 has no way to write most control characters: they become the replacement character. */
function escape(text: string): string {
  return text
    .replace(/[&<>"\r]/g, (character) => ENTITIES[character] ?? character)
    .replace(UNWRITABLE, '\ufffd');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\r': '&#xD;',
};
const UNWRITABLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;
