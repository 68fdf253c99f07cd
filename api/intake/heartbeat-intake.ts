/** `POST /api/agents/<id>/heartbeat`, answered without Express: most of what ever arrives here is a heartbeat. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { type HeartbeatReply, heartbeatRequestSchema } from '../../contracts/http';
import { type Db, inScope } from '../../db/connect';
import type { Beat } from '../../db/heartbeat-news';
import { ownerOfAgent } from '../../db/identities';
import { keyOf, primaryInstance, type Standing, storeBeats } from '../../db/leases';
import type { TokenHolder } from '../../db/tokens';
import { forbidden, requireOwnInstance } from '../http/access';
import type { Authenticator } from '../http/bearer';
import { problemOf } from '../http/failures';
import { readJson, validate } from '../http/json-body';
import { Problem, writeProblem } from '../http/problem';
import { GroupCommit, Overloaded } from './group-commit';
import type { SignalDelivery } from './signal-delivery';

const PATH = /^\/api\/agents\/([\w-]{1,64})\/heartbeat\/?(?:\?.*)?$/;

/** A candidate's health decides a switch, so it is asked for sooner. */
const CANDIDATE_INTERVAL_SECONDS = 5;
const MAX_BATCH = 500;
const MAX_WAITING = 10_000;
/** SQLSTATEs of a transaction that another one stood in the way of. */
const TRY_AGAIN = new Set(['40001', '40P01']);

export interface IntakeParts {
  /** Under the role spotkeeper_ingest. */
  ingestDb: Db;
  /** Under the role spotkeeper_api. */
  apiDb: Db;
  authenticator: Authenticator;
  delivery: SignalDelivery;
  everyBeat: boolean;
  log: Logger;
}

export class HeartbeatIntake {
  readonly #parts: IntakeParts;
  readonly #commits: GroupCommit<Beat, Standing | null>;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
    this.#commits = new GroupCommit<Beat, Standing | null>({
      store: (beats) => this.#store(beats),
      keyOf,
      maxBatch: MAX_BATCH,
      maxWaiting: MAX_WAITING,
    });
  }

  /** The agent that a heartbeat names; null for any other request. */
  agentOf(request: IncomingMessage): string | null {
    if (request.method !== 'POST') return null;
    return PATH.exec(request.url ?? '')?.[1] ?? null;
  }

  async answer(agentId: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const holder = await this.#parts.authenticator.cachedHolder(request);
      const beat = await this.#read(agentId, holder, request);
      const standing = await this.#commits.submit(beat);
      if (standing === null) throw await this.#noStanding(beat);
      const body = JSON.stringify(replyTo(standing));
      response.writeHead(200, {
        'Content-Type': 'application/json',
        'Content-Length': Buffer.byteLength(body),
      });
      response.end(body);
    } catch (error) {
      const problem =
        error instanceof Overloaded
          ? Problem.unavailable(
              'overloaded',
              'More heartbeats wait than can be stored; send it again later.',
              2,
            )
          : problemOf(error, this.#parts.log);
      writeProblem(response, problem);
    }
  }

  /** Resolves when everything taken in is stored. */
  idle(): Promise<void> {
    return this.#commits.idle();
  }

  async #read(agentId: string, holder: TokenHolder, request: IncomingMessage): Promise<Beat> {
    if (holder.kind !== 'agent' && holder.kind !== 'client') {
      throw forbidden(
        `Heartbeats take an agent's or a client's token; this one is of the kind ${holder.kind}.`,
      );
    }
    if (holder.kind === 'agent' && holder.agentId !== agentId) {
      throw forbidden('The token belongs to another agent.', 'wrong_agent');
    }
    const body = validate(heartbeatRequestSchema, await readJson(request));
    const named = body.instance_id ?? (holder.kind === 'agent' ? holder.instanceId : null);
    if (named !== null) requireOwnInstance(holder, named);
    const { clientId } = holder;
    const instanceId = named ?? (await primaryInstance(this.#parts.ingestDb, clientId, agentId));
    if (instanceId === null) throw await this.#noStanding({ clientId, agentId });
    return {
      clientId,
      agentId,
      instanceId,
      named: named !== null,
      status: body.status,
      health: body.health,
      mode: body.mode ?? null,
      zone: body.az,
      instanceType: body.instance_type,
    };
  }

  async #store(beats: Beat[]): Promise<(Standing | null)[]> {
    const { ingestDb, everyBeat, delivery } = this.#parts;
    const store = () => storeBeats(ingestDb, beats, everyBeat);
    const { standings, workflowIds } = await store().catch((error: unknown) => {
      if (TRY_AGAIN.has(String((error as { code?: unknown }).code))) return store();
      throw error;
    });
    delivery.poke(workflowIds);
    return standings;
  }

  /** An agent that we know must register from this machine; of one that we don't, or another client's, we say nothing. */
  async #noStanding({ clientId, agentId }: Pick<Beat, 'clientId' | 'agentId'>): Promise<Problem> {
    const owner = await inScope(this.#parts.apiDb, { clientId }, (transaction) =>
      ownerOfAgent(transaction, agentId),
    );
    if (owner === null) return Problem.notFound('The agent');
    return new Problem(
      409,
      'register_again',
      `No instance that this heartbeat could be from is registered for agent ${agentId}; register again.`,
    );
  }
}

function replyTo(standing: Standing): HeartbeatReply {
  const { role, incarnation, currentIncarnation, intervalSeconds, configRevision } = standing;
  const candidateInterval = Math.min(intervalSeconds, CANDIDATE_INTERVAL_SECONDS);
  return {
    success: true,
    message: 'Heartbeat received',
    next_heartbeat_in_seconds: role === 'candidate' ? candidateInterval : intervalSeconds,
    incarnation,
    role,
    config_revision: configRevision,
    actions:
      role === 'superseded'
        ? [
            {
              type: 'stand_down',
              message: `This instance is no longer the agent: its incarnation is now ${currentIncarnation}. Stop acting for it.`,
              incarnation: currentIncarnation,
            },
          ]
        : [],
  };
}
