/**
 * Dumont's dialect has no registration: it names an instance, and a client's token. Here is found which agent that is;
 * the first word from an instance that no agent of the client ever had makes one, whose logical id is the instance's.
 */
import type { RegisterRequest } from '../../contracts/http';
import { inScope } from '../../db/connect';
import { newestAgentOf } from '../../db/identities';
import { agentOfInstance } from '../../db/leases';
import { Problem } from '../http/problem';
import { placeInstance, type RegistrationParts } from '../registration';
import { agentDeleted } from './refusals';

/** Dumont's. */
const INTERVAL_SECONDS = 60;
/** Every instance of the dialect, at most; the one known for longest goes. */
const ROOM = 200_000;
/** Registrations under way; each takes a workflow of Temporal's. */
const AT_ONCE = 20;
const LATER_SECONDS = 5;

export class StatusAgents {
  readonly #parts: RegistrationParts;
  readonly #known = new Map<string, string>();
  readonly #underWay = new Map<string, Promise<string>>();
  #making = 0;

  constructor(parts: RegistrationParts) {
    this.#parts = parts;
  }

  /**
   * The agent that the instance speaks for.
   * @throws Problem 410 when that was deleted, 409 when its registration is refused, 503 when too many are made at once.
   */
  async agentOf(clientId: string, instanceId: string): Promise<string> {
    const key = `${clientId} ${instanceId}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const underWay = this.#underWay.get(key);
    if (underWay) return underWay;
    const finding = this.#find(clientId, instanceId).finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, finding);
    const agentId = await finding;
    if (this.#known.size >= ROOM) {
      const [oldest] = this.#known.keys();
      if (oldest !== undefined) this.#known.delete(oldest);
    }
    this.#known.set(key, agentId);
    return agentId;
  }

  /** Another agent may have the instance by now: it is looked up anew. */
  forget(clientId: string, instanceId: string): void {
    this.#known.delete(`${clientId} ${instanceId}`);
  }

  async #find(clientId: string, instanceId: string): Promise<string> {
    const found = await agentOfInstance(this.#parts.ingestDb, clientId, instanceId);
    if (found) return found.agentId;
    if (this.#making >= AT_ONCE) {
      throw Problem.unavailable(
        'busy',
        'Many agents register at the moment; send the status again later.',
        LATER_SECONDS,
      );
    }
    this.#making += 1;
    try {
      return await this.#make(clientId, instanceId);
    } finally {
      this.#making -= 1;
    }
  }

  async #make(clientId: string, instanceId: string): Promise<string> {
    const newest = await inScope(this.#parts.apiDb, { clientId }, (transaction) =>
      newestAgentOf(transaction, clientId, instanceId),
    );
    if (newest?.status === 'deleted') throw agentDeleted(newest.agentId);
    const placed = await placeInstance(this.#parts, clientId, unknownMachine(instanceId), {
      ownDefaults: { heartbeatIntervalSeconds: INTERVAL_SECONDS },
    });
    return placed.agentId;
  }
}

/** All that the dialect doesn't say. Nothing of the unknown account can be ended by us. */
function unknownMachine(instanceId: string): RegisterRequest {
  const unknown = 'unknown';
  return {
    logical_agent_id: instanceId,
    instance_id: instanceId,
    instance_type: unknown,
    region: unknown,
    az: unknown,
    ami_id: null,
    mode: 'ondemand',
    hostname: null,
    private_ip: null,
    public_ip: null,
    agent_version: null,
    account_id: unknown,
  };
}
