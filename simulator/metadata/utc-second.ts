/** A moment as the metadata service writes it: the second before it, so that who relies on a deadline never gets less time than it names. */
export function utcSecond(moment: Date): string {
  return `${moment.toISOString().slice(0, 19)}Z`;
}
