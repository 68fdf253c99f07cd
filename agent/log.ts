/** The agent's log: a line an event on standard output, where systemd's journal takes it. */

export type LogLevel = 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR';

const LEVELS: readonly LogLevel[] = ['DEBUG', 'INFO', 'WARNING', 'ERROR'];

export class Log {
  readonly #from: number;

  constructor(lowest: LogLevel = 'INFO') {
    this.#from = LEVELS.indexOf(lowest);
  }

  debug(line: string): void {
    this.#write('DEBUG', line);
  }

  info(line: string): void {
    this.#write('INFO', line);
  }

  warning(line: string): void {
    this.#write('WARNING', line);
  }

  error(line: string): void {
    this.#write('ERROR', line);
  }

  #write(level: LogLevel, line: string): void {
    if (LEVELS.indexOf(level) < this.#from) return;
    process.stdout.write(`${new Date().toISOString()} ${level} ${line.replaceAll('\n', ' ')}\n`);
  }
}

/** What an error says, in one line. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Node leaves the message of a connection that failed at several addresses empty.
  return error.message || String((error as NodeJS.ErrnoException).code ?? error.name);
}
