/** The agent's calls of the API. */
import type { HeartbeatReply, RegisterReply } from '../contracts/http';
import { httpRequest, jsonObject } from './http-json';
import type { Identity, InstanceAction } from './metadata';

/** The API said no: `code` says why, `retryAfterSeconds` when to ask again. */
export class Refusal extends Error {
  override name = 'Refusal';

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly retryAfterSeconds: number | null,
  ) {
    super(message);
  }
}

const TIMEOUT_MS = 10_000;

export class ServerClient {
  constructor(private readonly serverUrl: string) {}

  register(
    credential: string,
    logicalAgentId: string,
    identity: Identity,
    version: string,
  ): Promise<RegisterReply> {
    return this.post<RegisterReply>('agents/register', credential, {
      logical_agent_id: logicalAgentId,
      instance_id: identity.instanceId,
      instance_type: identity.instanceType,
      region: identity.region,
      az: identity.zone,
      ami_id: identity.imageId,
      mode: identity.mode,
      hostname: identity.hostname,
      private_ip: identity.privateIp,
      public_ip: identity.publicIp,
      account_id: identity.accountId,
      agent_version: version,
    });
  }

  heartbeat(
    agentId: string,
    token: string,
    status: 'online' | 'offline',
    identity: Identity,
    timeoutMs = TIMEOUT_MS,
  ): Promise<HeartbeatReply> {
    const body = { status, ...place(identity) };
    return this.post<HeartbeatReply>(`agents/${agentId}/heartbeat`, token, body, timeoutMs);
  }

  async terminationImminent(
    agentId: string,
    token: string,
    instanceId: string,
    told: InstanceAction,
  ): Promise<void> {
    await this.post(
      `agents/${agentId}/termination-imminent`,
      token,
      { instance_id: instanceId, ...told },
      3_000,
    );
  }

  async rebalanceRecommendation(
    agentId: string,
    token: string,
    instanceId: string,
    noticeTime: string,
  ): Promise<void> {
    const body = { instance_id: instanceId, notice_time: noticeTime };
    await this.post(`agents/${agentId}/rebalance-recommendation`, token, body);
  }

  /** @throws Refusal for any status but 2xx; Error when the server can't be reached. */
  private async post<Reply>(
    path: string,
    token: string,
    body: object,
    timeoutMs = TIMEOUT_MS,
  ): Promise<Reply> {
    const text = JSON.stringify(body);
    const reply = await httpRequest(new URL(`${this.serverUrl}/api/${path}`), {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'content-length': String(Buffer.byteLength(text)),
      },
      body: text,
      timeoutMs,
    });
    const answer = jsonObject(reply.body);
    if (reply.status >= 200 && reply.status < 300 && answer) return answer as Reply;
    const code = typeof answer?.['code'] === 'string' ? answer['code'] : 'unknown';
    const detail =
      typeof answer?.['detail'] === 'string' ? answer['detail'] : `The server answered ${reply.status}.`;
    const retryAfter = Number(reply.headers['retry-after'] ?? NaN);
    throw new Refusal(reply.status, code, detail, Number.isFinite(retryAfter) ? retryAfter : null);
  }
}

function place(identity: Identity) {
  const { instanceId, instanceType, mode, zone } = identity;
  return { instance_id: instanceId, instance_type: instanceType, mode, az: zone };
}
