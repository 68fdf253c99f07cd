/** The instance metadata service, version 2: every request carries a session token, which expires. */
import { httpRequest } from './http-request';

/** What the metadata service says this machine is. */
export interface InstanceIdentity {
  instanceId: string;
  instanceType: string;
  region: string;
  zone: string;
  accountId: string | null;
  imageId: string | null;
  mode: 'spot' | 'ondemand';
  hostname: string | null;
  privateIp: string | null;
  publicIp: string | null;
}

export interface InstanceAction {
  action: 'terminate' | 'stop' | 'hibernate';
  time: string;
}

const TOKEN_SECONDS = 21_600;
const TIMEOUT_MS = 2_000;

export class Metadata {
  readonly #base: string;
  #token: string | null = null;

  /** @param base the service's address; it may hold a path prefix. */
  constructor(base: string) {
    this.#base = base.replace(/\/+$/, '');
  }

  /** @throws Error when the service doesn't answer, or not in its form. */
  async identity(signal?: AbortSignal): Promise<InstanceIdentity> {
    const document = JSON.parse(
      (await this.#get('/latest/dynamic/instance-identity/document', signal)) ?? '{}',
    ) as Record<string, unknown>;
    const text = (name: string): string | null => {
      const value = document[name];
      return typeof value === 'string' && value !== '' ? value : null;
    };
    const required = (name: string): string => {
      const value = text(name);
      if (value === null) throw new Error(`the instance identity document holds no ${name}`);
      return value;
    };
    const lifeCycle = await this.#get('/latest/meta-data/instance-life-cycle', signal);
    return {
      instanceId: required('instanceId'),
      instanceType: required('instanceType'),
      region: required('region'),
      zone: required('availabilityZone'),
      accountId: text('accountId'),
      imageId: text('imageId'),
      mode: lifeCycle === 'spot' ? 'spot' : 'ondemand',
      privateIp: text('privateIp'),
      hostname: await this.#get('/latest/meta-data/local-hostname', signal),
      publicIp: await this.#get('/latest/meta-data/public-ipv4', signal),
    };
  }

  /** As its launcher gave it; null for none. */
  userData(signal?: AbortSignal): Promise<string | null> {
    return this.#get('/latest/user-data', signal);
  }

  /** EC2's interruption notice; null while there is none. */
  async instanceAction(signal?: AbortSignal): Promise<InstanceAction | null> {
    const text = await this.#get('/latest/meta-data/spot/instance-action', signal);
    if (text === null) return null;
    const { action, time } = JSON.parse(text) as Partial<InstanceAction>;
    if (typeof time !== 'string')
      throw new Error(`the interruption notice is not readable: ${text.slice(0, 200)}`);
    return { action: action === 'stop' || action === 'hibernate' ? action : 'terminate', time };
  }

  /** When EC2 recommended to leave; null while it hasn't. */
  async rebalanceNoticeTime(signal?: AbortSignal): Promise<string | null> {
    const text = await this.#get('/latest/meta-data/events/recommendations/rebalance', signal);
    if (text === null) return null;
    const { noticeTime } = JSON.parse(text) as { noticeTime?: unknown };
    if (typeof noticeTime !== 'string') {
      throw new Error(`the rebalance recommendation is not readable: ${text.slice(0, 200)}`);
    }
    return noticeTime;
  }

  /** Null for what isn't there. A token that has expired is replaced once. */
  async #get(path: string, signal?: AbortSignal): Promise<string | null> {
    for (let attempt = 1; ; attempt += 1) {
      this.#token ??= await this.#newToken(signal);
      const reply = await httpRequest(this.#base + path, {
        method: 'GET',
        headers: { 'X-aws-ec2-metadata-token': this.#token },
        timeoutMs: TIMEOUT_MS,
        signal,
      });
      if (reply.status === 200) return reply.text.trim();
      if (reply.status === 404) return null;
      if (reply.status !== 401 || attempt === 2) {
        throw new Error(`the metadata service answered ${reply.status} for ${path}`);
      }
      this.#token = null;
    }
  }

  async #newToken(signal?: AbortSignal): Promise<string> {
    const reply = await httpRequest(`${this.#base}/latest/api/token`, {
      method: 'PUT',
      headers: { 'X-aws-ec2-metadata-token-ttl-seconds': String(TOKEN_SECONDS) },
      timeoutMs: TIMEOUT_MS,
      signal,
    });
    if (reply.status === 200) return reply.text.trim();
    throw new Error(`the metadata service answered ${reply.status} for a token`);
  }
}
