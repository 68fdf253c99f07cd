/** What people call an agent, by its id. */
import { z } from 'zod';

const agentsSchema = z.object({
  agents: z.array(z.object({ agent_id: z.string(), logical_agent_id: z.string() })),
});

export class AgentNames {
  readonly #url: string;
  readonly #token: string;
  #names = new Map<string, string>();

  constructor(apiUrl: string, clientId: string, token: string) {
    this.#url = `${apiUrl}/api/client/${encodeURIComponent(clientId)}/agents`;
    this.#token = token;
  }

  /** The name, asked for once; the id itself where the API can't tell. */
  async of(agentId: string, signal: AbortSignal): Promise<string> {
    if (!this.#names.has(agentId)) {
      const agents = await this.#ask(signal).catch(() => []);
      for (const agent of agents) this.#names.set(agent.agent_id, agent.logical_agent_id);
    }
    return this.#names.get(agentId) ?? agentId;
  }

  async #ask(signal: AbortSignal): Promise<z.infer<typeof agentsSchema>['agents']> {
    const response = await fetch(this.#url, { headers: { authorization: `Bearer ${this.#token}` }, signal });
    return agentsSchema.parse(await response.json()).agents;
  }
}
