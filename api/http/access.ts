/** What each kind of caller may do, and where it may look. */
import { type Db, inScope } from '../../db/connect';
import { ownerOfAgent } from '../../db/identities';
import type { Caller } from './bearer';
import { Problem } from './problem';

type Kind = Caller['kind'];

/** @throws Problem 403 unless the caller is of one of these kinds. */
export function requireKind<K extends Kind>(caller: Caller, ...kinds: K[]): Caller & { kind: K } {
  if ((kinds as Kind[]).includes(caller.kind)) return caller as Caller & { kind: K };
  throw forbidden(
    `It takes a token of the kind ${kinds.join(' or ')}; this one is of the kind ${caller.kind}.`,
  );
}

/** People who act: administrators, clients, and users that may act. */
export function requireActing(caller: Caller): Caller & { kind: 'admin' | 'client' | 'user' } {
  const person = requireKind(caller, 'admin', 'client', 'user');
  if (person.kind === 'user' && !person.canAct) {
    throw forbidden('This user token only reads; an administrator can issue one that acts.');
  }
  return person;
}

/** Who asked, for the record. */
export function callerName(caller: Caller): string {
  return caller.kind === 'admin' ? 'an administrator' : `a ${caller.kind} token of ${caller.clientId}`;
}

/** @throws Problem 404 for another's client, as for one that isn't there. */
export function ownClient(caller: Caller, clientId: string): string {
  const visible = caller.kind === 'admin' || caller.clientId === clientId;
  if (visible && /^[\w.-]{1,64}$/.test(clientId)) return clientId;
  throw Problem.notFound('The client');
}

export function forbidden(detail: string, code = 'forbidden'): Problem {
  return new Problem(403, code, detail);
}

export interface AgentAddress {
  clientId: string;
  agentId: string;
}

/** Agents' ids are ours, so whatever else stands in an address names none. */
const AGENT_ID = /^[\w-]{1,64}$/;

/**
 * The agent that an address names, once it is known to be the caller's to see.
 * @throws Problem 403 to an agent that names another, 404 for what is unknown or another client's.
 */
export async function locateAgent(db: Db, caller: Caller, agentId: string): Promise<AgentAddress> {
  const scope = scopeOf(caller, agentId);
  const clientId = AGENT_ID.test(agentId)
    ? await inScope(db, scope, (transaction) => ownerOfAgent(transaction, agentId))
    : null;
  if (clientId === null) throw Problem.notFound('The agent');
  return { clientId, agentId };
}

function scopeOf(caller: Caller, agentId: string) {
  switch (caller.kind) {
    case 'admin':
      return { admin: true } as const;
    case 'client':
    case 'user':
      return { clientId: caller.clientId };
    case 'agent':
      if (caller.agentId !== agentId) throw forbidden('The token belongs to another agent.', 'wrong_agent');
      return { clientId: caller.clientId };
    case 'launch':
      throw forbidden('A launch id only registers the instance that it was made for.');
  }
}

/** An agent's own token speaks for its own instance. @throws Problem 403 */
export function requireOwnInstance(caller: Caller, instanceId: string): void {
  if (caller.kind !== 'agent' || caller.instanceId === instanceId) return;
  throw forbidden(
    `The token belongs to instance ${caller.instanceId}, not to ${instanceId}; register from there anew.`,
    'wrong_instance',
  );
}
