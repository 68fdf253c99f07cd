/** Clients and their tokens. */
import { Router } from 'express';
import type { ClientView, CreateTokenReply } from '../contracts/http';
import { createClientRequestSchema, createTokenRequestSchema } from '../contracts/http';
import { type ClientRow, createClient, findClient, listClients } from '../db/clients';
import { type Db, inScope } from '../db/connect';
import { issueToken, revokeToken } from '../db/tokens';
import { requireKind } from './http/access';
import type { Authenticator } from './http/bearer';
import { readJson, validate } from './http/json-body';
import { Problem } from './http/problem';
import { parameter, route } from './http/route';

const ADMIN = { admin: true } as const;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function accountRoutes({ apiDb, authenticator }: { apiDb: Db; authenticator: Authenticator }): Router {
  const router = Router();

  route(router, '/api/clients', {
    GET: async (request, response) => {
      const caller = requireKind(await authenticator.caller(request), 'admin', 'client', 'user');
      const scope = caller.kind === 'admin' ? ADMIN : { clientId: caller.clientId };
      const clients = await inScope(apiDb, scope, listClients);
      response.json({ clients: clients.map(view) });
    },
    POST: async (request, response) => {
      requireKind(await authenticator.caller(request), 'admin');
      const { id, name, policy } = validate(createClientRequestSchema, await readJson(request));
      const created = await inScope(apiDb, ADMIN, (transaction) =>
        createClient(transaction, { id, name: name ?? id, policy }),
      );
      if (!created) throw new Problem(409, 'exists', `There is a client ${id} already.`);
      response.status(201).json(view(created));
    },
  });

  route(router, '/api/tokens', {
    POST: async (request, response) => {
      requireKind(await authenticator.caller(request), 'admin');
      const wanted = validate(createTokenRequestSchema, await readJson(request));
      const clientId = wanted.kind === 'admin' ? null : wanted.client_id;
      const issued = await inScope(apiDb, ADMIN, async (transaction) => {
        if (clientId !== null && !(await findClient(transaction, clientId))) {
          throw Problem.notFound(`The client ${clientId}`);
        }
        return issueToken(transaction, holderOf(wanted), wanted.label);
      });
      const reply: CreateTokenReply = { ...issued, kind: wanted.kind, client_id: clientId };
      response.status(201).json(reply);
    },
  });

  route(router, '/api/tokens/:tokenId', {
    DELETE: async (request, response) => {
      requireKind(await authenticator.caller(request), 'admin');
      const id = parameter(request, 'tokenId');
      const revoked = UUID.test(id)
        ? await inScope(apiDb, ADMIN, (transaction) => revokeToken(transaction, id))
        : null;
      if (revoked === null) throw Problem.notFound('The token');
      // Others hear of it in a moment; whoever asks here next must not be quicker.
      authenticator.cache.revoked(revoked);
      response.status(204).end();
    },
  });

  return router;
}

function holderOf(wanted: ReturnType<typeof createTokenRequestSchema.parse>) {
  switch (wanted.kind) {
    case 'admin':
      return { kind: 'admin' } as const;
    case 'client':
      return { kind: 'client', clientId: wanted.client_id } as const;
    case 'user':
      return { kind: 'user', clientId: wanted.client_id, canAct: wanted.can_act } as const;
  }
}

function view({ id, name, policy, created_at }: ClientRow): ClientView {
  return { id, name, policy, created_at: created_at.toISOString() };
}
