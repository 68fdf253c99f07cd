/** The search attributes of our workflows, which must exist in the namespace before one can start. */
import type { Connection } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import { SEARCH_ATTRIBUTES } from '../contracts/ids';

const KEYWORD = temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD;
const ALREADY_EXISTS = 6;

/** How long all of a server may take to know a new attribute: its caches refresh by themselves. */
const SETTLING_MS = 60_000;
const LOOK_EVERY_MS = 250;

/**
 * Adds those that are missing, and waits until the server takes them.
 * @throws Error with the command to run, when this login may not look or add; or with what stands in the way.
 */
export async function ensureSearchAttributes(connection: Connection, namespace: string): Promise<void> {
  const missing = await missingAttributes(connection, namespace);
  if (missing.length === 0) return;
  try {
    await connection.operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(missing.map((name) => [name, KEYWORD])),
    });
  } catch (error) {
    // Another process may have been first.
    if ((error as { code?: number }).code !== ALREADY_EXISTS) throw notPermitted(namespace, missing, error);
  }
  await untilKnown(connection, namespace);
}

async function missingAttributes(connection: Connection, namespace: string): Promise<string[]> {
  let known: Record<string, unknown>;
  try {
    const listed = await connection.operatorService.listSearchAttributes({ namespace });
    known = listed.customAttributes ?? {};
  } catch (error) {
    throw notPermitted(namespace, SEARCH_ATTRIBUTES, error);
  }
  const otherwise = SEARCH_ATTRIBUTES.filter((name) => known[name] !== undefined && known[name] !== KEYWORD);
  if (otherwise.length > 0) {
    throw new Error(
      `Namespace ${namespace} has search attributes of our names that are not of type Keyword: ${otherwise.join(', ')}. Use another namespace (TEMPORAL_NAMESPACE).`,
    );
  }
  return SEARCH_ATTRIBUTES.filter((name) => known[name] === undefined);
}

/** Nothing announces that the caches have them, so a query by all of them is tried until it passes. */
async function untilKnown(connection: Connection, namespace: string): Promise<void> {
  const query = SEARCH_ATTRIBUTES.map((name) => `${name} = 'none'`).join(' OR ');
  const end = Date.now() + SETTLING_MS;
  for (;;) {
    try {
      await connection.workflowService.listWorkflowExecutions({ namespace, pageSize: 1, query });
      return;
    } catch (error) {
      if (Date.now() > end) {
        throw new Error(
          `The search attributes were added to namespace ${namespace}, but after ${SETTLING_MS / 1000} s the server does not take them: ${(error as Error).message}. Look into its log.`,
          { cause: error },
        );
      }
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

function notPermitted(namespace: string, names: readonly string[], error: unknown): Error {
  const flags = names.map((name) => `--name ${name} --type Keyword`).join(' ');
  return new Error(
    `The search attributes ${names.join(', ')} can't be looked up or added in namespace ${namespace} from here (${(error as Error).message}). Run: temporal operator search-attribute create --namespace ${namespace} ${flags}`,
    { cause: error },
  );
}
