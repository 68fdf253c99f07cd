/** The instance metadata service, version 2 only. */
import { type HttpReply, httpRequest, jsonObject } from './http-json';

/** Who this machine is, on EC2's word. */
export interface Identity {
  instanceId: string;
  instanceType: string;
  zone: string;
  region: string;
  imageId: string | null;
  accountId: string | null;
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
  private token: string | null = null;

  /** @param endpoint such as http://169.254.169.254, without a slash at its end. */
  constructor(private readonly endpoint: string) {}

  /** @throws Error when the service doesn't answer or leaves out what every instance has. */
  async identity(): Promise<Identity> {
    const [document, imageId, lifeCycle, hostname, privateIp, publicIp] = await Promise.all([
      this.get('dynamic/instance-identity/document'),
      this.get('meta-data/ami-id'),
      this.get('meta-data/instance-life-cycle'),
      this.get('meta-data/hostname'),
      this.get('meta-data/local-ipv4'),
      this.get('meta-data/public-ipv4'),
    ]);
    const known = jsonObject(document ?? '');
    const text = (name: string) => (typeof known?.[name] === 'string' ? (known[name] as string) : null);
    const [instanceId, instanceType, zone] = [
      text('instanceId'),
      text('instanceType'),
      text('availabilityZone'),
    ];
    if (!instanceId || !instanceType || !zone) {
      throw new Error(`The metadata service at ${this.endpoint} gave no usable instance identity document.`);
    }
    const region = text('region') ?? zone.replace(/[a-z]$/, '');
    const mode = lifeCycle === 'spot' ? 'spot' : 'ondemand';
    return {
      instanceId,
      instanceType,
      zone,
      region,
      accountId: text('accountId'),
      imageId,
      mode,
      hostname,
      privateIp,
      publicIp,
    };
  }

  /** What EC2 is about to do to a spot instance, or null, which is the usual answer. */
  async instanceAction(): Promise<InstanceAction | null> {
    const body = await this.get('meta-data/spot/instance-action');
    const told = body === null ? null : jsonObject(body);
    if (told === null) return null;
    const { action, time } = told;
    if (action !== 'terminate' && action !== 'stop' && action !== 'hibernate') {
      throw new Error(`The metadata service speaks of an instance action that is unknown: ${body}.`);
    }
    return { action, time: typeof time === 'string' ? time : new Date(Date.now() + 120_000).toISOString() };
  }

  /** When EC2 recommended to move, or null. */
  async rebalanceRecommendation(): Promise<string | null> {
    const body = await this.get('meta-data/events/recommendations/rebalance');
    const time = body === null ? null : jsonObject(body)?.['noticeTime'];
    return typeof time === 'string' ? time : null;
  }

  /** The instance's user data, or null if it has none. */
  userData(): Promise<string | null> {
    return this.get('user-data');
  }

  /** Null for 404: it isn't there. */
  private async get(path: string): Promise<string | null> {
    let reply = await this.ask(path);
    if (reply.status === 401) {
      this.token = null;
      reply = await this.ask(path);
    }
    if (reply.status === 404) return null;
    if (reply.status !== 200) throw new Error(`The metadata service answered ${reply.status} to ${path}.`);
    return reply.body.trim();
  }

  private async ask(path: string): Promise<HttpReply> {
    this.token ??= await this.newToken();
    const headers = { 'x-aws-ec2-metadata-token': this.token };
    return httpRequest(new URL(`${this.endpoint}/latest/${path}`), {
      method: 'GET',
      headers,
      timeoutMs: TIMEOUT_MS,
    });
  }

  private async newToken(): Promise<string> {
    const headers = { 'x-aws-ec2-metadata-token-ttl-seconds': String(TOKEN_SECONDS) };
    const url = new URL(`${this.endpoint}/latest/api/token`);
    const reply = await httpRequest(url, { method: 'PUT', headers, timeoutMs: TIMEOUT_MS });
    if (reply.status !== 200)
      throw new Error(`The metadata service answered ${reply.status} to the request for a token.`);
    return reply.body.trim();
  }
}
