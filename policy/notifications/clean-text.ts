/** Text that others chose, made fit for one line of a message. */

/** Control characters, line ends and what turns the direction of writing around. */
const UNFIT = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]+/gu;

/** @param longest in characters; what is cut ends with "…". */
export function oneLine(text: string, longest: number): string {
  const line = text.toWellFormed().replace(UNFIT, ' ').replace(/\s+/g, ' ').trim();
  return shortened(line, longest);
}

/** Cuts between characters, never within one. */
export function shortened(text: string, longest: number): string {
  const characters = [...text];
  return characters.length <= longest ? text : `${characters.slice(0, longest - 1).join('')}…`;
}
