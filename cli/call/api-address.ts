/**
 * Which API a command talks to, and as whom: by its flags, else the environment, else the `npm start` that runs from
 * this checkout. A token of that start is never sent anywhere else.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { CHECKOUT } from '../checkout';
import { UsageError } from '../usage-error';
import { CallError } from './call-error';

export interface AddressFlags {
  url?: string;
  token?: string;
  client?: string;
}

export interface ApiAddress {
  /** Without a slash at its end. */
  url: string;
  token: string;
  /** Whose agents are meant; null leaves it to what the token may see. */
  clientId: string | null;
}

/** What a start writes for programs. */
interface RunningStart {
  apiUrl: string;
  clientId: string;
  tokens: { admin: string; user: string };
}

/**
 * @param asAdmin what is asked concerns more than one client, so a start's admin token is taken rather than its user's.
 * @throws UsageError where an address or a token is not usable. @throws CallError where nothing runs.
 */
export function readApiAddress(flags: AddressFlags, env: NodeJS.ProcessEnv, asAdmin = false): ApiAddress {
  const given = {
    url: flags.url ?? (env.SPOTKEEPER_URL || null),
    token: flags.token ?? (env.SPOTKEEPER_TOKEN || null),
  };
  const file = path.join(
    path.resolve(env.SPOTKEEPER_STATE_DIR || path.join(CHECKOUT, '.spotkeeper')),
    'run.json',
  );
  const running = given.url === null ? readStart(file) : null;
  const url = given.url ?? running?.apiUrl;
  if (url === undefined) {
    throw new CallError(
      `No Spotkeeper runs from this checkout: there is no ${file}. Start one with npm start, ` +
        'or say where it is with --url and --token (or SPOTKEEPER_URL and SPOTKEEPER_TOKEN).',
      0,
      'unreachable',
    );
  }
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw new UsageError(
      `The API's address is not usable: got "${url}"; it takes one such as http://127.0.0.1:8400.`,
    );
  }
  const clientId = flags.client ?? running?.clientId ?? null;
  const ownToken = asAdmin || clientId !== running?.clientId ? running?.tokens.admin : running?.tokens.user;
  const token = given.token ?? ownToken;
  if (token === undefined) {
    throw new UsageError(
      `There is no token for ${url}: give one that may act with --token or in SPOTKEEPER_TOKEN.`,
    );
  }
  return { url: url.replace(/\/+$/, ''), token, clientId };
}

function readStart(file: string): RunningStart | null {
  if (!existsSync(file)) return null;
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as RunningStart;
  } catch (error) {
    throw new UsageError(`The file ${file} cannot be read: ${(error as Error).message}.`);
  }
}
