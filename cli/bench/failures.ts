/** What went wrong in a bench: how often, by call and kind, with one message of each kind to be shown. */
export class Failures {
  readonly counts: Record<string, number> = {};

  constructor(private readonly say: (line: string) => void = (line) => console.error(line)) {}

  /** Says the first of each kind at once. */
  add(call: string, error: unknown): void {
    const { name, message } = error as Error;
    const kind = name === 'Error' ? `${call}: ${message}` : `${call}: ${name}`;
    if (this.counts[kind] === undefined) this.say(`${call} failed: ${message} (${name})`);
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
  }
}
