/** Temporal: the server that TEMPORAL_ADDRESS names, or a development server that keeps its state in a file. */
import { Connection } from '@temporalio/client';
import { readFileSync } from 'node:fs';
import { SEARCH_ATTRIBUTES } from '../../contracts/ids';
import { findTemporalBinary } from '../parts/temporal-binary';
import { startTemporalServer } from '../parts/temporal-server';
import type { Ports } from './ports';
import type { TemporalAccess } from './settings';
import type { StateFolder } from './state-folder';
import type { Supervisor } from './supervisor';

const KEYWORD = 2; // temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD

export interface EmbeddedTemporal {
  address: string;
  uiUrl: string;
  /** The program, which people use for queries too. */
  binary: string;
  onPath: boolean;
}

export async function startEmbeddedTemporal(
  state: StateFolder,
  supervisor: Supervisor,
  ports: Ports,
  env: NodeJS.ProcessEnv,
  say: (line: string) => void,
): Promise<EmbeddedTemporal> {
  const binary = await findTemporalBinary({ env, say, signal: supervisor.signal });
  const port = await ports.take('temporal');
  const uiPort = await ports.take('temporalUi');
  await supervisor.run({
    name: 'the Temporal server',
    rank: 3,
    stopSignal: 'SIGTERM',
    graceMs: 10_000,
    start: (onSpawn) =>
      startTemporalServer({
        binary: binary.path,
        port,
        uiPort,
        databaseFile: state.file('temporal.db'),
        logFile: state.log('temporal'),
        onSpawn,
      }),
  });
  return {
    address: `127.0.0.1:${port}`,
    uiUrl: `http://127.0.0.1:${uiPort}`,
    binary: binary.path,
    onPath: binary.origin === 'PATH',
  };
}

/**
 * Checks that the server is there, takes us in, has the namespace and knows our search attributes; adds them where it
 * may.
 * @throws Error, a sentence on what is wrong and what to do.
 */
export async function checkTemporal(access: TemporalAccess): Promise<void> {
  const connection = await connect(access);
  try {
    await connection.workflowService
      .describeNamespace({ namespace: access.namespace })
      .catch((error: unknown) => {
        throw new Error(
          `The Temporal server at ${access.address} gives no access to the namespace "${access.namespace}" (TEMPORAL_NAMESPACE): ` +
            `${reason(error)}. Create it with: temporal operator namespace create --namespace ${access.namespace} --address ${access.address}`,
        );
      });
    await ensureSearchAttributes(connection, access);
  } finally {
    await connection.close();
  }
}

async function connect(access: TemporalAccess): Promise<Connection> {
  const { address, apiKey, tlsCaFile, tlsCertFile, tlsKeyFile } = access;
  const tls =
    tlsCaFile || tlsCertFile
      ? {
          ...(tlsCaFile ? { serverRootCACertificate: readFileSync(tlsCaFile) } : {}),
          ...(tlsCertFile && tlsKeyFile
            ? { clientCertPair: { crt: readFileSync(tlsCertFile), key: readFileSync(tlsKeyFile) } }
            : {}),
        }
      : undefined;
  try {
    return await Connection.connect({
      address,
      apiKey,
      tls: tls ?? (apiKey ? true : undefined),
      connectTimeout: 8000,
    });
  } catch (error) {
    throw new Error(
      `No Temporal server answers at ${address} (TEMPORAL_ADDRESS): ${reason(error)}. ` +
        'Check that it runs and that address, TLS files and API key are right; or unset TEMPORAL_ADDRESS for one of our own.',
    );
  }
}

async function ensureSearchAttributes(connection: Connection, access: TemporalAccess): Promise<void> {
  const { namespace } = access;
  try {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    const missing = SEARCH_ATTRIBUTES.filter((name) => !(name in (customAttributes ?? {})));
    if (missing.length === 0) return;
    await connection.operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(missing.map((name) => [name, KEYWORD])),
    });
  } catch (error) {
    throw new Error(
      `The search attributes ${SEARCH_ATTRIBUTES.join(', ')} could not be added to the namespace "${namespace}" of ` +
        `${access.address}: ${reason(error)}. Add them as type Keyword, with temporal operator search-attribute create or on Temporal Cloud's pages.`,
    );
  }
}

function reason(error: unknown): string {
  const { message, details } = error as Error & { details?: string };
  return details || message;
}
