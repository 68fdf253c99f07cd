/** Where the Temporal server is and how to be let in. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { EnvironmentError } from '../contracts/environment';

const file = (what: string) =>
  z.string().min(1).optional().describe(`the path of a readable PEM file with ${what}`);

export const temporalVariables = {
  TEMPORAL_ADDRESS: z
    .string()
    .regex(/^[\w.-]+:\d{1,5}$/)
    .default('localhost:7233')
    .describe('the host and port of a Temporal server, such as localhost:7233'),
  TEMPORAL_NAMESPACE: z
    .string()
    .regex(/^\S+$/)
    .default('default')
    .describe('the name of a Temporal namespace'),
  TEMPORAL_TLS_CERT_FILE: file("this client's certificate"),
  TEMPORAL_TLS_KEY_FILE: file("the private key of this client's certificate"),
  TEMPORAL_TLS_CA_FILE: file("the certificate authority of the server's certificate"),
  TEMPORAL_API_KEY: z.string().min(1).optional().describe('an API key of Temporal Cloud'),
};

export type TemporalSettings = z.infer<z.ZodObject<typeof temporalVariables>>;

export interface TemporalTls {
  clientCertPair?: { crt: Buffer; key: Buffer };
  serverRootCACertificate?: Buffer;
}

/** What connections of a client and of a worker have in common. */
export interface TemporalConnectionOptions {
  address: string;
  tls?: TemporalTls | boolean;
  apiKey?: string;
}

/** @throws EnvironmentError when a file can't be read, or one half of the key pair is missing. */
export function connectionOptions(settings: TemporalSettings): TemporalConnectionOptions {
  const { TEMPORAL_TLS_CERT_FILE: cert, TEMPORAL_TLS_KEY_FILE: key, TEMPORAL_TLS_CA_FILE: ca } = settings;
  if (Boolean(cert) !== Boolean(key)) {
    const missing = cert ? 'TEMPORAL_TLS_KEY_FILE' : 'TEMPORAL_TLS_CERT_FILE';
    throw new EnvironmentError(
      `The environment variable ${missing} is not set: a client certificate takes both files.`,
    );
  }
  const apiKey = settings.TEMPORAL_API_KEY;
  const tls: TemporalTls = {
    ...(cert &&
      key && {
        clientCertPair: {
          crt: read('TEMPORAL_TLS_CERT_FILE', cert),
          key: read('TEMPORAL_TLS_KEY_FILE', key),
        },
      }),
    ...(ca && { serverRootCACertificate: read('TEMPORAL_TLS_CA_FILE', ca) }),
  };
  const encrypted = Object.keys(tls).length > 0 ? tls : apiKey !== undefined;
  return {
    address: settings.TEMPORAL_ADDRESS,
    ...(encrypted && { tls: encrypted }),
    ...(apiKey && { apiKey }),
  };
}

function read(variable: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new EnvironmentError(
      `The environment variable ${variable} is not usable: ${path} can't be read (${(error as Error).message}).`,
    );
  }
}
