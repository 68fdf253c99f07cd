/** Calls of the API. What goes wrong becomes one sentence that can be shown as it is. */
import type {
  AgentList,
  ClientView,
  HibernateReply,
  KeepAliveReply,
  ProtectionReply,
  ResumeReply,
  StopSwitchView,
  SwitchReply,
} from '../contracts/http';
import type { ProblemDocument } from '../contracts/problem';

/** A refusal or a failure, as a sentence. */
export class ApiError extends Error {
  override name = 'ApiError';

  /** @param status of the HTTP answer; 0 when there was none. */
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

export class Api {
  constructor(private readonly token: string) {}

  /** The clients that the token may see. */
  async clients(): Promise<ClientView[]> {
    return (await this.#json<{ clients: ClientView[] }>('clients')).clients;
  }

  /** One page of a client's agents. */
  agents(clientId: string, after: string | null): Promise<AgentList> {
    const page = after === null ? '' : `?after=${encodeURIComponent(after)}`;
    return this.#json<AgentList>(`client/${encodeURIComponent(clientId)}/agents${page}`);
  }

  requestSwitch(agentId: string, requestId: string): Promise<SwitchReply> {
    return this.#json<SwitchReply>(`agents/${encodeURIComponent(agentId)}/switch`, {
      request_id: requestId,
    });
  }

  keepAlive(agentId: string, minutes: number): Promise<KeepAliveReply> {
    return this.#json<KeepAliveReply>(`agents/${encodeURIComponent(agentId)}/keep-alive`, { minutes });
  }

  hibernate(agentId: string): Promise<HibernateReply> {
    return this.#json<HibernateReply>(`agents/${encodeURIComponent(agentId)}/hibernate`, {});
  }

  resume(agentId: string): Promise<ResumeReply> {
    return this.#json<ResumeReply>(`agents/${encodeURIComponent(agentId)}/resume`, {});
  }

  protect(agentId: string, wanted: boolean): Promise<ProtectionReply> {
    const body = { protected: wanted };
    return this.#json<ProtectionReply>(`agents/${encodeURIComponent(agentId)}/protection`, body, 'PUT');
  }

  /** What holds this client's machines. */
  stopSwitch(clientId: string): Promise<StopSwitchView> {
    return this.#json<StopSwitchView>(`clients/${encodeURIComponent(clientId)}/stop-switch`);
  }

  /** The body of the answer to a GET that goes on, such as the events. @throws ApiError */
  async stream(path: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const response = await this.#fetch(path, { headers: { accept: 'text/event-stream' }, signal });
    if (!response.body) throw new ApiError('The server sent an empty answer.', response.status);
    return response.body;
  }

  async #json<Reply>(path: string, body?: unknown, method = 'POST'): Promise<Reply> {
    const response = await this.#fetch(path, {
      ...(body !== undefined && {
        method,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
      signal: AbortSignal.timeout(15_000),
    });
    return (await response.json()) as Reply;
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(`api/${path}`, {
        ...init,
        headers: { ...init.headers, authorization: `Bearer ${this.token}` },
      });
    } catch (error) {
      if (init.signal?.aborted && (error as Error).name === 'AbortError') throw error;
      throw new ApiError('The server does not answer at the moment.', 0);
    }
    if (response.ok) return response;
    throw new ApiError(await sentenceOf(response), response.status);
  }
}

async function sentenceOf(response: Response): Promise<string> {
  try {
    const problem = (await response.json()) as Partial<ProblemDocument>;
    if (typeof problem.detail === 'string') return problem.detail;
  } catch {
    // Not one of the API's own refusals; the status is all there is to say.
  }
  return `The server answered with the status ${response.status} and no reason.`;
}
