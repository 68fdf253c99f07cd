/**
 * Mass silences: most agents of a client, or of the whole system, fell silent at once, and nothing is stopped for it until a person says that it
 * was looked into.
 */
import { Router } from 'express';
import type { MassSilenceList, MassSilenceReading, MassSilenceView } from '../contracts/http';
import { massSilenceRequestSchema } from '../contracts/http';
import { findClient } from '../db/clients';
import { type Db, inScope } from '../db/connect';
import {
  closeMassSilence,
  closeSystemMassSilence,
  type MassSilenceRow,
  readMassSilences,
} from '../db/mass-silences';
import { callerName, ownClient, requireActing, requireKind } from './http/access';
import type { Authenticator } from './http/bearer';
import { readJson, validate } from './http/json-body';
import { Problem } from './http/problem';
import { parameter, route } from './http/route';

/** Of a client, with the open one. */
const LATEST = 20;
/** Of all clients. */
const MOST = 500;

export function massSilenceRoutes({
  apiDb,
  authenticator,
}: {
  apiDb: Db;
  authenticator: Authenticator;
}): Router {
  const router = Router();

  route(router, '/api/mass-silences', {
    GET: async (request, response) => {
      const caller = requireKind(await authenticator.caller(request), 'admin', 'client', 'user');
      const clientId = caller.kind === 'admin' ? null : caller.clientId;
      response.json(await openOnes(clientId));
    },
  });

  route(router, '/api/mass-silences/looked-into', {
    PUT: async (request, response) => {
      const caller = requireKind(await authenticator.caller(request), 'admin');
      const { note } = validate(massSilenceRequestSchema, await readJson(request));
      const looked = { note, by: callerName(caller) };
      await inScope(apiDb, { admin: true }, (transaction) => closeSystemMassSilence(transaction, looked));
      response.json(await openOnes(null));
    },
  });

  route(router, '/api/clients/:clientId/mass-silence', {
    GET: async (request, response) => {
      const caller = requireKind(await authenticator.caller(request), 'admin', 'client', 'user');
      response.json(await view(ownClient(caller, parameter(request, 'clientId'))));
    },
  });

  route(router, '/api/clients/:clientId/mass-silence/looked-into', {
    PUT: async (request, response) => {
      const caller = requireActing(await authenticator.caller(request));
      const clientId = ownClient(caller, parameter(request, 'clientId'));
      const { note } = validate(massSilenceRequestSchema, await readJson(request));
      const looked = { clientId, note, by: callerName(caller) };
      await inScope(apiDb, { clientId }, (transaction) => closeMassSilence(transaction, looked));
      response.json(await view(clientId));
    },
  });

  async function openOnes(clientId: string | null): Promise<MassSilenceList> {
    const open = await inScope(apiDb, clientId === null ? { admin: true } : { clientId }, (transaction) =>
      readMassSilences(transaction, { clientId, openOnly: true, limit: MOST }),
    );
    // The count of those still silent needs the client's own scope.
    const counted = open.map(async (one) =>
      one.clientId === null ? reading(one) : (await view(one.clientId)).open,
    );
    return { mass_silences: (await Promise.all(counted)).filter((one) => one !== null) };
  }

  function view(clientId: string): Promise<MassSilenceView> {
    return inScope(apiDb, { clientId }, async (transaction) => {
      if (!(await findClient(transaction, clientId))) throw Problem.notFound('The client');
      const rows = await readMassSilences(transaction, { clientId, openOnly: false, limit: LATEST });
      const open = rows.find((row) => row.closedAt === null);
      const closed = rows.filter((row) => row !== open).map(reading);
      return { client_id: clientId, open: open ? reading(open) : null, closed };
    });
  }

  return router;
}

function reading(row: MassSilenceRow): MassSilenceReading {
  return {
    client_id: row.clientId,
    began_at: row.beganAt.toISOString(),
    last_lost_at: row.lastLostAt.toISOString(),
    agents: row.agents,
    silent_agents: row.silentAgents,
    still_silent: row.clientId === null ? null : row.stillSilent,
    closed_at: row.closedAt?.toISOString() ?? null,
    closed_by: row.closedBy,
    note: row.note,
  };
}
