/** docker-compose.yml as the engine would see it: anchors merged, variables filled in. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { ROOT } from '../harness/servers';

export interface Service {
  image: string;
  command?: string[];
  environment?: Record<string, string>;
  depends_on?: Record<string, { condition: string }>;
  restart?: string;
  healthcheck?: { test?: string[]; disable?: boolean };
  ports?: string[];
  volumes?: string[];
}

export interface ComposeFile {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
}

export function composeText(): string {
  return readFileSync(path.join(ROOT, 'docker-compose.yml'), 'utf8');
}

/** @throws Error with the variable's sentence, where one is missing that has to be there. */
export function readCompose(variables: Record<string, string>): ComposeFile {
  return parse(fillIn(composeText(), variables), { merge: true }) as ComposeFile;
}

/** The forms that the file uses: `${NAME:?sentence}`, `${NAME:-default}` and `$$`. */
function fillIn(text: string, variables: Record<string, string>): string {
  const uncommented = text.replace(/^\s*#.*$/gm, '');
  return uncommented.replace(/\$(?:\$|\{(\w+)(?::([?-])([^}]*))?\})/g, (whole, name, operator, rest) => {
    if (whole === '$$') return '$';
    const value = variables[String(name)];
    if (value) return value;
    if (operator === '-') return String(rest);
    throw new Error(
      operator === '?' ? String(rest) : `The variable ${String(name)} has neither value nor default.`,
    );
  });
}

/** The names in deploy/.env.example; those commented out may be left out. */
export function exampleVariables(): { required: string[]; optional: string[] } {
  const lines = readFileSync(path.join(ROOT, 'deploy', '.env.example'), 'utf8').split('\n');
  const names = (pattern: RegExp) => lines.flatMap((line) => pattern.exec(line)?.[1] ?? []);
  return { required: names(/^(\w+)=$/), optional: names(/^#(\w+)=/) };
}
