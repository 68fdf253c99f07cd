/** A client's connection to the Temporal server. */
import { Client, Connection } from '@temporalio/client';
import { connectionOptions, type TemporalSettings } from './settings';

export interface TemporalClient {
  client: Client;
  connection: Connection;
  close(): Promise<void>;
}

/**
 * @throws Error with a sentence that names the address when the server can't be reached or refuses.
 */
export async function connectTemporal(settings: TemporalSettings): Promise<TemporalClient> {
  const namespace = settings.TEMPORAL_NAMESPACE;
  let connection: Connection;
  try {
    connection = await Connection.connect({ ...connectionOptions(settings), connectTimeout: '10 s' });
  } catch (error) {
    throw new Error(
      `The Temporal server at ${settings.TEMPORAL_ADDRESS} can't be reached: ${(error as Error).message}. Check TEMPORAL_ADDRESS and the TEMPORAL_TLS_… files or TEMPORAL_API_KEY.`,
      { cause: error },
    );
  }
  return { client: new Client({ connection, namespace }), connection, close: () => connection.close() };
}

/** Connects at the first call, and anew after an outage: for a process that is of some use without Temporal. */
export function connectTemporalLazily(settings: TemporalSettings): TemporalClient {
  const connection = Connection.lazy({ ...connectionOptions(settings), connectTimeout: '5 s' });
  const client = new Client({ connection, namespace: settings.TEMPORAL_NAMESPACE });
  return { client, connection, close: () => connection.close() };
}
