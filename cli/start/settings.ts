/** What a start was asked for: its flags and environment variables, validated before anything runs. */
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { readEnvironment } from '../../contracts/environment';
import { CHECKOUT } from '../checkout';
import { UsageError } from '../usage-error';

export interface StartFlags {
  fresh?: boolean;
  agents?: string;
  speed?: string;
  traces?: string;
}

export interface TemporalAccess {
  address: string;
  namespace: string;
  tlsCertFile?: string;
  tlsKeyFile?: string;
  tlsCaFile?: string;
  apiKey?: string;
}

export interface StartSettings {
  fresh: boolean;
  /** Null where the flag wasn't given: 4 on the first start. */
  agents: number | null;
  /** Null where the flag wasn't given: as the state was made, 1 on the first start. */
  speed: number | null;
  /** An absolute path; null where the flag wasn't given: as the state was made, the synthetic market on the first start. */
  traces: string | null;
  stateFolder: string;
  /** Null is the embedded PostgreSQL. */
  databaseUrl: string | null;
  /** Null is a development server of our own. */
  temporal: TemporalAccess | null;
  /** Null is the simulated cloud. */
  aws: { accountId: string; regions: string } | null;
  /** Where agents reach the API; null is this machine only. */
  publicUrl: string | null;
  /** What the API listens on. */
  host: string;
  env: NodeJS.ProcessEnv;
}

const file = (what: string) =>
  z
    .string()
    .refine((name) => existsSync(name) && statSync(name).isFile())
    .optional()
    .describe(`the path of a file that exists, with ${what} (PEM)`);

const variables = z.object({
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\/\S+$/)
    .refine((text) => URL.canParse(text))
    .optional()
    .describe(
      'the address of a PostgreSQL database, such as postgresql://user:password@host:5432/spotkeeper',
    ),
  TEMPORAL_ADDRESS: z
    .string()
    .regex(/^(\[[0-9a-fA-F:]+\]|[^\s:/]+):\d{1,5}$/)
    .optional()
    .describe('host:port of a Temporal server, such as 127.0.0.1:7233'),
  TEMPORAL_NAMESPACE: z
    .string()
    .regex(/^\S+$/)
    .default('default')
    .describe('the name of a Temporal namespace that exists'),
  TEMPORAL_TLS_CERT_FILE: file("the client's certificate"),
  TEMPORAL_TLS_KEY_FILE: file("the key of the client's certificate"),
  TEMPORAL_TLS_CA_FILE: file("the certificates that vouch for the server's"),
  TEMPORAL_API_KEY: z.string().regex(/^\S+$/).optional().describe('an API key of Temporal Cloud'),
  AWS_REGION: z
    .string()
    .regex(/^[a-z0-9-]+$/)
    .optional()
    .describe('a region such as us-east-1'),
  AWS_REGIONS: z
    .string()
    .regex(/^[a-z0-9-]+(,[a-z0-9-]+)*$/)
    .optional()
    .describe('regions such as us-east-1,us-west-2'),
  AWS_ACCOUNT_ID: z
    .string()
    .regex(/^\d{12}$/)
    .optional()
    .describe('the twelve digits of the AWS account that the credentials belong to'),
  API_PUBLIC_URL: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('the address at which instances reach the API, such as https://spotkeeper.example.com'),
  HOST: z
    .string()
    .regex(/^[\w.:-]+$/)
    .default('127.0.0.1')
    .describe('the address the API listens on, such as 0.0.0.0'),
  SPOTKEEPER_STATE_DIR: z
    .string()
    .optional()
    .describe('the folder for what a start keeps (default: .spotkeeper in the checkout)'),
});

/** Any of these says that there are AWS credentials. */
const CREDENTIALS = [
  'AWS_ACCESS_KEY_ID',
  'AWS_PROFILE',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
  'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
  'AWS_CONTAINER_CREDENTIALS_FULL_URI',
];

/**
 * @throws UsageError for a bad flag or a bad combination.
 * @throws EnvironmentError for bad variables, a sentence each.
 */
export function readStartSettings(flags: StartFlags, env: NodeJS.ProcessEnv): StartSettings {
  const given = readEnvironment(variables, env);
  return {
    fresh: flags.fresh ?? false,
    agents: flags.agents === undefined ? null : wholeNumberFlag('--agents', flags.agents, 0, 100),
    speed: flags.speed === undefined ? null : numberFlag('--speed', flags.speed, 1, 10_000),
    traces: flags.traces === undefined ? null : tracesFlag(flags.traces, env),
    stateFolder: path.resolve(given.SPOTKEEPER_STATE_DIR ?? path.join(CHECKOUT, '.spotkeeper')),
    databaseUrl: given.DATABASE_URL ?? null,
    temporal: temporalAccess(given),
    aws: awsAccess(given, env),
    publicUrl: given.API_PUBLIC_URL?.replace(/\/$/, '') ?? null,
    host: given.HOST,
    env,
  };
}

function temporalAccess(given: z.infer<typeof variables>): TemporalAccess | null {
  if (given.TEMPORAL_ADDRESS === undefined) return null;
  if ((given.TEMPORAL_TLS_CERT_FILE === undefined) !== (given.TEMPORAL_TLS_KEY_FILE === undefined)) {
    throw new UsageError(
      'TEMPORAL_TLS_CERT_FILE and TEMPORAL_TLS_KEY_FILE belong together, and only one of them is set. Set both or neither.',
    );
  }
  return {
    address: given.TEMPORAL_ADDRESS,
    namespace: given.TEMPORAL_NAMESPACE,
    tlsCertFile: given.TEMPORAL_TLS_CERT_FILE,
    tlsKeyFile: given.TEMPORAL_TLS_KEY_FILE,
    tlsCaFile: given.TEMPORAL_TLS_CA_FILE,
    apiKey: given.TEMPORAL_API_KEY,
  };
}

function awsAccess(given: z.infer<typeof variables>, env: NodeJS.ProcessEnv): StartSettings['aws'] {
  if (given.AWS_REGION === undefined || !CREDENTIALS.some((name) => env[name])) return null;
  if (given.AWS_ACCOUNT_ID === undefined) {
    throw new UsageError(
      'AWS_REGION and AWS credentials are set, so instances would be managed in that account, but AWS_ACCOUNT_ID is not ' +
        'set; it takes the twelve digits of the account. For the simulated cloud, unset AWS_REGION.',
    );
  }
  return { accountId: given.AWS_ACCOUNT_ID, regions: given.AWS_REGIONS ?? given.AWS_REGION };
}

function wholeNumberFlag(flag: string, text: string, min: number, max: number): number {
  if (/^\d+$/.test(text) && Number(text) >= min && Number(text) <= max) return Number(text);
  throw new UsageError(`The flag ${flag} got "${text}"; it takes a whole number from ${min} to ${max}.`);
}

function numberFlag(flag: string, text: string, min: number, max: number): number {
  if (/^\d+(\.\d+)?$/.test(text) && Number(text) >= min && Number(text) <= max) return Number(text);
  throw new UsageError(`The flag ${flag} got "${text}"; it takes a number from ${min} to ${max}.`);
}

/** npm runs scripts in the checkout; a relative path is relative to where the person was. */
function tracesFlag(text: string, env: NodeJS.ProcessEnv): string {
  const base = env.npm_lifecycle_event === 'start' && env.INIT_CWD ? env.INIT_CWD : process.cwd();
  const folder = path.resolve(base, text);
  if (existsSync(folder) && statSync(folder).isDirectory()) return folder;
  throw new UsageError(
    `The flag --traces got "${text}"; it takes a folder of recorded markets, and ${folder} is none.`,
  );
}
