/**
 * `POST /api/agents/<id>/heartbeat` and `POST /api/agent/status`, answered without Express: most of what ever arrives
 * here is a heartbeat. Both are one path from here on.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { inScope } from '../../db/connect';
import type { StatusReply } from '../../contracts/http';
import type { Beat, Standing } from '../../db/heartbeat-news';
import { isDeleted } from '../../db/identities';
import { keyOf, primaryInstance, type StoredBeat, storeBeats } from '../../db/leases';
import type { TokenHolder } from '../../db/tokens';
import { forbidden, requireOwnInstance } from '../http/access';
import type { Authenticator } from '../http/bearer';
import { problemOf } from '../http/failures';
import { parseBytes, readJson } from '../http/json-body';
import { Problem, writeProblem } from '../http/problem';
import type { RegistrationParts } from '../registration';
import { GroupCommit, Overloaded } from './group-commit';
import { type BeatBody, readBeatBody } from './heartbeat-body';
import type { BeatAddress } from './heartbeat-head';
import { replyOf } from './heartbeat-reply';
import { agentDeleted, overloaded, registerAgain } from './refusals';
import type { SignalDelivery } from './signal-delivery';
import { StatusAgents } from './status-agents';

const QUEUE = {
  maxBatch: 500,
  /** An instance sends one at a time; more are retries. */
  maxOfKey: 16,
  atOnce: 1,
  lingerMs: 4,
  enough: 100,
};
const SAID_EVERY_MS = 1_000;
const LATER_SECONDS = { least: 2, most: 6 };
/** SQLSTATEs of a transaction that another one stood in the way of. */
const TRY_AGAIN = new Set(['40001', '40P01']);

/** A sender of heartbeats, who hears once what came of one. */
export interface Asker {
  stored(dialect: BeatAddress['dialect'], standing: Standing): void;
  refused(problem: Problem): void;
}

export interface IntakeParts extends RegistrationParts {
  authenticator: Authenticator;
  delivery: SignalDelivery;
  everyBeat: boolean;
  /** Heartbeats beyond these are refused; by default what is stored in about a second. */
  maxWaiting: number;
  log: Logger;
}

type Sender = TokenHolder & { kind: 'agent' | 'client' };

export class HeartbeatIntake {
  /** Dumont's instances, for whatever else names them. */
  readonly statusAgents: StatusAgents;
  readonly #parts: IntakeParts;
  readonly #commits: GroupCommit<Beat, StoredBeat>;
  readonly #log: Pick<Logger, 'error'>;
  #storedMs = 0;
  #failedMs = 0;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
    this.#log = seldom(parts.log);
    this.statusAgents = new StatusAgents(parts);
    this.#commits = new GroupCommit<Beat, StoredBeat>({
      ...QUEUE,
      maxWaiting: parts.maxWaiting,
      store: (beats) => this.#store(beats),
      keyOf,
      laneOf: (beat) => beat.clientId,
    });
  }

  /** A heartbeat that node:http has read. Never rejects. */
  async answer(address: BeatAddress, request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const sender = requireSender(await this.#parts.authenticator.cachedHolder(request));
      // Before its body is read: what can't be stored should cost as little as can be.
      this.#requireRoom(sender);
      const body = readBeatBody(address.dialect, await readJson(request));
      reply(response, replyOf(address.dialect, await this.#standing(address, sender, body)));
    } catch (error) {
      writeProblem(response, this.#problemOf(error));
    }
  }

  /**
   * A heartbeat whose body is there. Never throws. Nearly all need no promise on their way, which takes as long as reading
   * the body does.
   * @param body of application/json.
   */
  take(address: BeatAddress, tokenHash: string, body: Buffer, asker: Asker): void {
    const { dialect } = address;
    const refused = (error: unknown) => asker.refused(this.#problemOf(error));
    const goOn = (holder: TokenHolder): void => {
      try {
        const sender = requireSender(holder);
        this.#requireRoom(sender);
        const said = readBeatBody(dialect, parseBytes(body));
        const beat = this.#beatAtOnce(address, sender, said);
        if (beat === null) {
          this.#standing(address, sender, said).then((standing) => asker.stored(dialect, standing), refused);
          return;
        }
        this.#commits.put(beat, {
          resolve: (stored) => {
            if (typeof stored === 'string') void this.#refuse(beat, stored).catch(refused);
            else asker.stored(dialect, stored);
          },
          reject: refused,
        });
      } catch (error) {
        refused(error);
      }
    };
    try {
      const holder = this.#parts.authenticator.cachedHolderByHash(tokenHash);
      if (holder instanceof Promise) holder.then(goOn, refused);
      else goOn(holder);
    } catch (error) {
      refused(error);
    }
  }

  /** Whether heartbeats that come are stored, as far as is known: not while they fail or are refused for being many. */
  isTaking(withinMs: number): boolean {
    return this.#failedMs < Date.now() - withinMs || this.#storedMs > this.#failedMs;
  }

  /** Resolves when everything taken in is stored. */
  idle(): Promise<void> {
    return this.#commits.idle();
  }

  /** @throws Overloaded */
  #requireRoom({ clientId }: Sender): void {
    const refusal = this.#commits.refusal(clientId);
    if (refusal) throw refusal;
  }

  /** Null where something has to be looked up first: whose instance Dumont's is, or which one the beat is from. */
  #beatAtOnce(address: BeatAddress, sender: Sender, body: BeatBody): Beat | null {
    if (address.dialect === 'heartbeat') return this.#beatOf(address.agentId, sender, body);
    return sender.kind === 'agent' ? this.#beatOf(sender.agentId, sender, body) : null;
  }

  async #standing(address: BeatAddress, sender: Sender, body: BeatBody): Promise<Standing> {
    if (address.dialect === 'status') return this.#status(sender, body);
    const { agentId } = address;
    return this.#stored(this.#beatOf(agentId, sender, body) ?? (await this.#unnamed(agentId, sender, body)));
  }

  /** Null for one that names no instance, with a token that does not either. */
  #beatOf(agentId: string, sender: Sender, body: BeatBody): Beat | null {
    if (sender.kind === 'agent' && sender.agentId !== agentId) {
      throw forbidden('The token belongs to another agent.', 'wrong_agent');
    }
    const instanceId = body.instanceId ?? (sender.kind === 'agent' ? sender.instanceId : null);
    if (instanceId === null) return null;
    requireOwnInstance(sender, instanceId);
    return beatOf(body, sender.clientId, agentId, instanceId, true);
  }

  /** It is taken to be the primary's. */
  async #unnamed(agentId: string, { clientId }: Sender, body: BeatBody): Promise<Beat> {
    const instanceId = await primaryInstance(this.#parts.ingestDb, clientId, agentId);
    if (instanceId === null) throw await this.#noStanding(clientId, agentId);
    return beatOf(body, clientId, agentId, instanceId, false);
  }

  async #status(sender: Sender, body: BeatBody) {
    const { clientId } = sender;
    const instanceId = body.instanceId as string; // The dialect's schema demands it.
    requireOwnInstance(sender, instanceId);
    const beatFor = (agentId: string) => beatOf(body, clientId, agentId, instanceId, true);
    if (sender.kind === 'agent') return this.#stored(beatFor(sender.agentId));
    const agentId = await this.statusAgents.agentOf(clientId, instanceId);
    const stored = await this.#commits.submit(beatFor(agentId));
    if (stored !== 'deleted' && stored !== 'none' && stored.role !== 'superseded') return stored;
    // Since it was looked up, the machine may have become another agent's.
    this.statusAgents.forget(clientId, instanceId);
    const now = await this.statusAgents.agentOf(clientId, instanceId);
    if (now === agentId && stored !== 'none' && stored !== 'deleted') return stored;
    if (now === agentId) throw await this.#noStanding(clientId, agentId);
    return this.#stored(beatFor(now));
  }

  async #stored(beat: Beat): Promise<Standing> {
    const stored = await this.#commits.submit(beat);
    return typeof stored === 'string' ? this.#refuse(beat, stored) : stored;
  }

  async #refuse({ clientId, agentId }: Beat, why: 'deleted' | 'none'): Promise<never> {
    throw why === 'deleted' ? agentDeleted(agentId) : await this.#noStanding(clientId, agentId);
  }

  async #store(beats: Beat[]): Promise<StoredBeat[]> {
    const { ingestDb, everyBeat, delivery } = this.#parts;
    const store = () => storeBeats(ingestDb, beats, everyBeat);
    try {
      const { standings, workflowIds } = await store().catch((error: unknown) => {
        if (TRY_AGAIN.has(String((error as { code?: unknown }).code))) return store();
        throw error;
      });
      this.#storedMs = Date.now();
      delivery.poke(workflowIds);
      return standings;
    } catch (error) {
      this.#failedMs = Date.now();
      throw error;
    }
  }

  #problemOf(error: unknown): Problem {
    if (error instanceof Problem) return error;
    if (!(error instanceof Overloaded)) return problemOf(error, this.#log);
    if (error.by === 'all') this.#failedMs = Date.now();
    const { least, most } = LATER_SECONDS;
    return overloaded(error, least + Math.floor(Math.random() * (most - least + 1)));
  }

  /** An agent that we know must register from this machine; of one that we don't, or another client's, we say nothing. */
  async #noStanding(clientId: string, agentId: string): Promise<Problem> {
    const deleted = await inScope(this.#parts.apiDb, { clientId }, (transaction) =>
      isDeleted(transaction, agentId),
    );
    if (deleted === null) return Problem.notFound('The agent');
    return deleted ? agentDeleted(agentId) : registerAgain(agentId);
  }
}

function reply(response: ServerResponse, body: StatusReply): void {
  const text = JSON.stringify(body);
  response.writeHead(200, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
}

/** Field by field: to spread an object takes many times as long, and this is done for every heartbeat. */
function beatOf(body: BeatBody, clientId: string, agentId: string, instanceId: string, named: boolean): Beat {
  const { status, health, mode, zone, readings } = body;
  return { clientId, agentId, instanceId, named, status, health, mode, zone, readings };
}

/** A whole batch fails with the same error, and the next one too: that is said now and then. */
function seldom(log: Logger): Pick<Logger, 'error'> {
  let saidMs = 0;
  return {
    error: (...said: unknown[]) => {
      if (Date.now() - saidMs < SAID_EVERY_MS) return;
      saidMs = Date.now();
      log.error(...(said as [object, string]));
    },
  };
}

function requireSender(holder: TokenHolder): Sender {
  if (holder.kind === 'agent' || holder.kind === 'client') return holder;
  throw forbidden(`Heartbeats take an agent's or a client's token; this one is of the kind ${holder.kind}.`);
}
