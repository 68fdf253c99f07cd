/**
 * The switches that stop all stopping: one for the whole system, which administrators move, and one a client, which its
 * people move. While one is set, nothing of its scope is stopped or terminated, by whatever path.
 */
import { Router } from 'express';
import type { StopSwitchView } from '../contracts/http';
import { stopSwitchRequestSchema } from '../contracts/http';
import { findClient } from '../db/clients';
import { type Db, inScope } from '../db/connect';
import { readStopSwitches, setStopSwitch, liftStopSwitch } from '../db/stop-switches';
import { callerName, ownClient, requireActing, requireKind } from './http/access';
import type { Authenticator } from './http/bearer';
import { readJson, validate } from './http/json-body';
import { Problem } from './http/problem';
import { parameter, route } from './http/route';

export function stopSwitchRoutes({
  apiDb,
  authenticator,
}: {
  apiDb: Db;
  authenticator: Authenticator;
}): Router {
  const router = Router();

  route(router, '/api/stop-switch', {
    GET: async (request, response) => {
      const caller = requireKind(await authenticator.caller(request), 'admin', 'client', 'user');
      response.json(await view(caller.kind === 'admin' ? null : caller.clientId));
    },
    PUT: async (request, response) => {
      const caller = requireKind(await authenticator.caller(request), 'admin');
      const { reason } = validate(stopSwitchRequestSchema, await readJson(request));
      const wanted = { clientId: null, reason, setBy: callerName(caller) };
      await inScope(apiDb, { admin: true }, (transaction) => setStopSwitch(transaction, wanted));
      response.json(await view(null));
    },
    DELETE: async (request, response) => {
      const caller = requireKind(await authenticator.caller(request), 'admin');
      const lift = { clientId: null, liftedBy: callerName(caller) };
      await inScope(apiDb, { admin: true }, (transaction) => liftStopSwitch(transaction, lift));
      response.json(await view(null));
    },
  });

  route(router, '/api/clients/:clientId/stop-switch', {
    GET: async (request, response) => {
      const caller = requireKind(await authenticator.caller(request), 'admin', 'client', 'user');
      response.json(await view(ownClient(caller, parameter(request, 'clientId'))));
    },
    PUT: async (request, response) => {
      const caller = requireActing(await authenticator.caller(request));
      const clientId = ownClient(caller, parameter(request, 'clientId'));
      const { reason } = validate(stopSwitchRequestSchema, await readJson(request));
      const wanted = { clientId, reason, setBy: callerName(caller) };
      await inScope(apiDb, { clientId }, async (transaction) => {
        if (!(await findClient(transaction, clientId))) throw Problem.notFound('The client');
        await setStopSwitch(transaction, wanted);
      });
      response.json(await view(clientId));
    },
    DELETE: async (request, response) => {
      const caller = requireActing(await authenticator.caller(request));
      const clientId = ownClient(caller, parameter(request, 'clientId'));
      const lift = { clientId, liftedBy: callerName(caller) };
      await inScope(apiDb, { clientId }, (transaction) => liftStopSwitch(transaction, lift));
      response.json(await view(clientId));
    },
  });

  /** What holds this client's machines, or (null) the system's. */
  async function view(clientId: string | null): Promise<StopSwitchView> {
    const scope = clientId === null ? ({ admin: true } as const) : { clientId };
    const switches = await inScope(apiDb, scope, (transaction) => readStopSwitches(transaction, clientId));
    return {
      holds: switches.length > 0,
      switches: switches.map((one) => ({
        scope: one.client_id === null ? 'system' : 'client',
        reason: one.reason,
        set_by: one.set_by,
        set_at: one.set_at.toISOString(),
      })),
    };
  }

  return router;
}
