/** What a person on call does with one agent: keep it alive, put it to rest, wake it, protect, double or delete it. */
import type { Command } from 'commander';
import type {
  AgentDetail,
  DeleteReply,
  HibernateReply,
  KeepAliveReply,
  ProtectionReply,
  ResumeReply,
} from '../../contracts/http';
import type { PromoteReply, ReplicaModeReply } from '../../contracts/replica-http';
import { REPLICA_MODES } from '../../contracts/replicas';
import type { ApiCaller } from '../call/api-caller';
import { addCallingFlags, callAndPrint, type CallingFlags, type Result } from '../call/calling-command';
import { confirm, ownTerminal } from '../call/confirm';
import { findAgent } from '../call/find-agent';
import { UsageError } from '../usage-error';

const MOST_MINUTES = 60 * 24 * 30;

interface KeepAliveFlags extends CallingFlags {
  minutes: string;
}

interface DeleteFlags extends CallingFlags {
  instances: string;
  yes?: boolean;
}

export function addAgentActs(program: Command, finish: (exitCode: number) => void): void {
  const act = <Flags extends CallingFlags>(
    command: Command,
    check: (flags: Flags) => void,
    work: (api: ApiCaller, agent: AgentDetail, flags: Flags) => Promise<Result>,
  ) =>
    addCallingFlags(command).action(async (named: string, flags: Flags) => {
      check(flags);
      finish(await callAndPrint(flags, async (api) => work(api, await findAgent(api, named), flags)));
    });
  const anything = () => undefined;

  act<KeepAliveFlags>(
    program
      .command('keep-alive <agent>')
      .description('keep an agent from being hibernated for silence or idleness, by its id, name or instance')
      .option('--minutes <n>', 'for how long', '60'),
    ({ minutes }) => void minutesOf(minutes),
    async (api, agent, flags) => {
      const body = { minutes: minutesOf(flags.minutes) };
      const reply = await api.call<KeepAliveReply>('POST', `${pathOf(agent)}/keep-alive`, body);
      const { logical_agent_id: name } = agent;
      return result(agent, reply, `${name} is kept alive for ${reply.valid_for_minutes} minutes.`);
    },
  );

  act(
    program.command('hibernate <agent>').description('stop an agent’s machine so that it can be resumed'),
    anything,
    async (api, agent) => {
      const reply = await api.call<HibernateReply>('POST', `${pathOf(agent)}/hibernate`);
      return result(
        agent,
        reply,
        `${agent.logical_agent_id} is being hibernated by the workflow ${reply.workflow_id}; its state: npx spotkeeper agent ${agent.agent_id}`,
      );
    },
  );

  act(
    program.command('resume <agent>').description('wake a hibernated agent under its id'),
    anything,
    async (api, agent) => {
      const reply = await api.call<ResumeReply>('POST', `${pathOf(agent)}/resume`);
      return result(
        agent,
        reply,
        `${agent.logical_agent_id} is being resumed by the workflow ${reply.workflow_id}.`,
      );
    },
  );

  for (const [name, wanted, words] of [
    ['protect', true, 'let no policy stop or delete an agent'],
    ['unprotect', false, 'let policies stop and delete an agent again'],
  ] as const) {
    act(program.command(`${name} <agent>`).description(words), anything, async (api, agent) => {
      const reply = await api.call<ProtectionReply>('PUT', `${pathOf(agent)}/protection`, {
        protected: wanted,
      });
      return result(agent, reply, `${agent.logical_agent_id}: ${reply.message}.`);
    });
  }

  addCallingFlags(
    program
      .command('replica-mode <agent> <mode>')
      .description(`keep a second machine of an agent ready to take over: ${REPLICA_MODES.join(', ')}`),
  ).action(async (named: string, mode: string, flags: CallingFlags) => {
    if (!(REPLICA_MODES as readonly string[]).includes(mode)) {
      throw new UsageError(
        `The replica mode can't be "${mode}"; it takes one of ${REPLICA_MODES.join(', ')}.`,
      );
    }
    const set = async (api: ApiCaller) => {
      const agent = await findAgent(api, named);
      const reply = await api.call<ReplicaModeReply>('PUT', `${pathOf(agent)}/replica-mode`, { mode });
      return result(agent, reply, `${agent.logical_agent_id}: ${reply.message}.`);
    };
    finish(await callAndPrint(flags, set));
  });

  act(
    program
      .command('promote <agent>')
      .description('make an agent’s replica its primary; the old machine is retired after the wait'),
    anything,
    async (api, agent) => {
      const reply = await api.call<PromoteReply>('POST', `${pathOf(agent)}/promote`);
      const text = `${agent.logical_agent_id}: replica ${reply.replica_id} on ${reply.instance_id} is being promoted.`;
      return result(agent, reply, text);
    },
  );

  act<DeleteFlags>(
    program
      .command('delete <agent>')
      .description('delete an agent for good; its replicas and former machines are retired')
      .option('--instances <what>', 'what becomes of its machine: keep (left to its owner) or retire', 'keep')
      .option('--yes', 'do not ask'),
    ({ instances }) => void instancesOf(instances),
    async (api, agent, flags) => {
      const instances = instancesOf(flags.instances);
      const machine = agent.instance_id ?? 'its machine, if it has one,';
      const fate =
        instances === 'keep' ? `${machine} is left to its owner` : `${machine} is terminated after the wait`;
      const asked = `Delete agent ${agent.logical_agent_id} (${agent.agent_id})? ${capital(fate)}.`;
      const sure = flags.yes || (await confirm(asked, ownTerminal()));
      if (!sure) {
        const left = result(agent, { success: false, message: 'Not confirmed' }, 'Nothing was changed.');
        return { ...left, declined: true };
      }
      const reply = await api.call<DeleteReply>('DELETE', `${pathOf(agent)}?instances=${instances}`);
      return result(agent, reply, `${agent.logical_agent_id}: ${reply.message}.`);
    },
  );
}

function pathOf(agent: AgentDetail): string {
  return `agents/${encodeURIComponent(agent.agent_id)}`;
}

function result(agent: AgentDetail, reply: object, text: string): Result {
  const { agent_id, logical_agent_id } = agent;
  return { json: { agent_id, logical_agent_id, ...reply }, text };
}

function minutesOf(text: string): number {
  const minutes = Number(text);
  if (text.trim() !== '' && minutes > 0 && minutes <= MOST_MINUTES) return minutes;
  throw new UsageError(
    `The flag --minutes is not usable: got "${text}"; it takes a number above 0, of at most ${MOST_MINUTES} (30 days).`,
  );
}

function instancesOf(text: string): 'keep' | 'retire' {
  if (text === 'keep' || text === 'retire') return text;
  throw new UsageError(`The flag --instances is not usable: got "${text}"; it takes keep or retire.`);
}

function capital(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}
