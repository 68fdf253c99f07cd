/** Clients: the tenants, each with its settings. */
import type { Db } from './connect';

export interface ClientRow {
  id: string;
  name: string;
  policy: Record<string, unknown>;
  created_at: Date;
}

/** @returns the new row, or null if the id is taken. The transaction's scope must be an administrator's. */
export async function createClient(
  transaction: Db,
  client: Pick<ClientRow, 'id' | 'name' | 'policy'>,
): Promise<ClientRow | null> {
  const created = await transaction
    .insertInto('clients')
    .values({ id: client.id, name: client.name, policy: JSON.stringify(client.policy) })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .returning(['id', 'name', 'policy', 'created_at'])
    .executeTakeFirst();
  return created ?? null;
}

/** All that the transaction's scope shows, by id. */
export function listClients(transaction: Db): Promise<ClientRow[]> {
  return transaction
    .selectFrom('clients')
    .select(['id', 'name', 'policy', 'created_at'])
    .orderBy('id')
    .execute();
}

export async function findClient(transaction: Db, id: string): Promise<ClientRow | null> {
  const row = await transaction
    .selectFrom('clients')
    .select(['id', 'name', 'policy', 'created_at'])
    .where('id', '=', id)
    .executeTakeFirst();
  return row ?? null;
}
