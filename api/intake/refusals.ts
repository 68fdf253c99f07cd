/** What a heartbeat is refused with. */
import { Problem, retryAfter } from '../http/problem';
import type { Overloaded } from './group-commit';

export function agentDeleted(agentId: string): Problem {
  return new Problem(
    410,
    'agent_deleted',
    `Agent ${agentId} was deleted, and nothing that its machines send brings it back. Register to begin anew.`,
  );
}

export function registerAgain(agentId: string): Problem {
  return new Problem(
    409,
    'register_again',
    `No instance that this heartbeat could be from is registered for agent ${agentId}; register again.`,
  );
}

/** @param seconds when there may be room again; senders are told different times, so that they don't all come at once. */
export function overloaded({ by }: Pick<Overloaded, 'by'>, seconds: number): Problem {
  if (by === 'all') {
    return Problem.unavailable(
      'overloaded',
      'More heartbeats wait than can be stored; send it again later.',
      seconds,
    );
  }
  return new Problem(
    429,
    'too_many_heartbeats',
    'More heartbeats of this sender wait than are its share; send fewer, and this one again later.',
    { headers: retryAfter(seconds) },
  );
}
