/** `spotkeeper agents` and `spotkeeper agent`: a client's agents as they are now. */
import type { Command } from 'commander';
import type { AgentList } from '../../contracts/http';
import { agentTable, agentWords } from '../call/agent-words';
import { addCallingFlags, callAndPrint, type CallingFlags } from '../call/calling-command';
import { clientOf, findAgent } from '../call/find-agent';

/** Flags that the API takes as they are; it says what is wrong with one. */
const FILTERS = ['status', 'health', 'mode', 'az', 'region', 'search', 'limit', 'after'] as const;

type ListFlags = CallingFlags & Partial<Record<(typeof FILTERS)[number], string>>;

export function addAgentsCommands(program: Command, finish: (exitCode: number) => void): void {
  addCallingFlags(program.command('agents').description('list the agents of a client'))
    .option('--status <status>', 'online, silent, orphaned, offline, hibernating or hibernated')
    .option('--health <health>', 'healthy or unhealthy')
    .option('--mode <mode>', 'spot or ondemand')
    .option('--az <zone>', 'an availability zone')
    .option('--region <region>', 'a region')
    .option('--search <text>', 'a part of a name or id')
    .option('--limit <n>', 'at most so many (default: 100)')
    .option('--after <id>', 'go on after this agent')
    .action(async (flags: ListFlags) => {
      const code = await callAndPrint(flags, async (api) => {
        const query = new URLSearchParams();
        for (const name of FILTERS) if (flags[name] !== undefined) query.set(name, flags[name]);
        const clientId = encodeURIComponent(await clientOf(api));
        const list = await api.get<AgentList>(`client/${clientId}/agents?${query}`);
        const more = list.next_after === null ? '' : `\nThere are more: --after ${list.next_after}`;
        const none = query.size > 0 ? 'No agent is like that.' : 'This client has no agents yet.';
        return {
          json: list,
          text: list.agents.length === 0 ? none : agentTable(list.agents, Date.now()) + more,
        };
      });
      finish(code);
    });

  addCallingFlags(
    program.command('agent <agent>').description('show one agent, by its id, name or instance'),
  ).action(async (named: string, flags: CallingFlags) => {
    const code = await callAndPrint(flags, async (api) => {
      const agent = await findAgent(api, named);
      return { json: agent, text: agentWords(agent, Date.now()) };
    });
    finish(code);
  });
}
