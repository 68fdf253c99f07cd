/** The agent's log: one JSON object a line on standard output, which systemd's journal keeps. */
export type Level = 'debug' | 'info' | 'warn' | 'error';

export interface Log {
  (level: Level, message: string, fields?: Record<string, unknown>): void;
}

export function createLog(write: (line: string) => void = (line) => process.stdout.write(line)): Log {
  return (level, message, fields = {}) => {
    write(`${JSON.stringify({ time: new Date().toISOString(), level, message, ...fields })}\n`);
  };
}
