/** The agent that a person means: by its id, by the id of a machine of it, or by its name. */
import type { AgentDetail, AgentList, ClientView } from '../../contracts/http';
import { UsageError } from '../usage-error';
import type { ApiCaller } from './api-caller';
import { CallError } from './call-error';

/** @throws CallError where there is none. @throws UsageError where more than one goes by that name. */
export async function findAgent(api: ApiCaller, named: string): Promise<AgentDetail> {
  const found =
    (/^[\w-]{1,64}$/.test(named) ? await unlessMissing(readAgent(api, named)) : null) ??
    (await byInstanceOrName(api, named));
  if (found !== null) return found;
  throw new CallError(
    `There is no agent "${named}": no agent has that id or name, and no instance of one has that id.`,
    404,
    'not_found',
  );
}

/**
 * The client that is meant.
 * @throws UsageError where the token sees several and none was named.
 */
export async function clientOf(api: ApiCaller): Promise<string> {
  if (api.address.clientId !== null) return api.address.clientId;
  const { clients } = await api.get<{ clients: ClientView[] }>('clients');
  const [only, ...others] = clients.map(({ id }) => id);
  if (only !== undefined && others.length === 0) return only;
  throw new UsageError(
    only === undefined
      ? 'There is no client yet. An administrator makes one with POST /api/clients.'
      : `The token sees several clients, so name one with --client: ${[only, ...others].slice(0, 10).join(', ')}.`,
  );
}

async function byInstanceOrName(api: ApiCaller, named: string): Promise<AgentDetail | null> {
  const clientId = encodeURIComponent(await clientOf(api));
  const id = encodeURIComponent(named);
  const instance = await unlessMissing(
    api.get<{ agent_id: string }>(`agent/instances/${id}?client_id=${clientId}`),
  );
  if (instance !== null) return readAgent(api, instance.agent_id);
  const [only, ...others] = await called(api, clientId, named);
  if (others.length > 0) {
    const ids = [only!, ...others].map((agent) => agent.agent_id);
    throw new UsageError(`Several agents are called "${named}"; name one by its id: ${ids.join(', ')}.`);
  }
  return only === undefined ? null : readAgent(api, only.agent_id);
}

/** Of all whose names contain it, those of exactly this one. */
async function called(api: ApiCaller, clientId: string, name: string) {
  const found: AgentList['agents'] = [];
  let after: string | null = null;
  do {
    const query = new URLSearchParams({ limit: '200', search: name, ...(after !== null && { after }) });
    const page: AgentList = await api.get(`client/${clientId}/agents?${query.toString()}`);
    found.push(...page.agents.filter((agent) => agent.logical_agent_id === name));
    after = page.next_after;
  } while (after !== null);
  return found;
}

function readAgent(api: ApiCaller, agentId: string): Promise<AgentDetail> {
  return api.get<AgentDetail>(`agents/${encodeURIComponent(agentId)}`);
}

async function unlessMissing<T>(call: Promise<T>): Promise<T | null> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof CallError && error.status === 404) return null;
    throw error;
  }
}
