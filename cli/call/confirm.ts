/** A person's yes before something ends. */
import { createInterface } from 'node:readline/promises';
import { isatty } from 'node:tty';
import { UsageError } from '../usage-error';

export interface Terminal {
  input: NodeJS.ReadableStream;
  output: NodeJS.WritableStream;
}

/** Where a person is asked; null where a program runs this one. */
export function ownTerminal(): Terminal | null {
  return isatty(0) ? { input: process.stdin, output: process.stderr } : null;
}

/** @throws UsageError where nobody can be asked. */
export async function confirm(question: string, terminal: Terminal | null): Promise<boolean> {
  if (terminal === null) {
    throw new UsageError(`Nobody can be asked here: ${question} Say so beforehand with --yes.`);
  }
  const lines = createInterface({ input: terminal.input, output: terminal.output });
  try {
    const answer = await lines.question(`${question} [y/N] `);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    lines.close();
  }
}
