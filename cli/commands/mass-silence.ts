/**
 * `spotkeeper mass-silence show|looked-into`: while one is open, nothing of its client, or of the system, is stopped for
 * silence.
 */
import type { Command } from 'commander';
import type { MassSilenceList, MassSilenceReading, MassSilenceView } from '../../contracts/http';
import type { ApiCaller } from '../call/api-caller';
import { addCallingFlags, callAndPrint, type CallingFlags, type Result } from '../call/calling-command';
import { clientOf } from '../call/find-agent';
import { UsageError } from '../usage-error';

interface LookFlags extends CallingFlags {
  note?: string;
  system?: boolean;
}

export function addMassSilenceCommand(program: Command, finish: (exitCode: number) => void): void {
  addCallingFlags(
    program
      .command('mass-silence <show|looked-into>')
      .description('most agents of a client fell silent at once: show it, or say that it was looked into'),
  )
    .option('--note <text>', 'what came of looking into it, for the history')
    .option('--system', 'the one of the whole system, which an administrator looks into')
    .action(async (what: string, flags: LookFlags) => {
      if (what !== 'show' && what !== 'looked-into')
        throw new UsageError(`mass-silence got "${what}"; it takes show or looked-into.`);
      const note = flags.note?.trim() ?? '';
      if (what === 'looked-into' && note === '')
        throw new UsageError('mass-silence looked-into takes --note: say what came of it.');
      const work = async (api: ApiCaller): Promise<Result> => {
        if (what === 'show' && flags.client === undefined) {
          const list = await api.get<MassSilenceList>('mass-silences');
          return { json: list, text: openWords(list.mass_silences) };
        }
        if (what === 'looked-into' && flags.system === true) {
          const list = await api.call<MassSilenceList>('PUT', 'mass-silences/looked-into', { note });
          return { json: list, text: openWords(list.mass_silences) };
        }
        const path = `clients/${encodeURIComponent(await clientOf(api))}/mass-silence`;
        const view =
          what === 'show'
            ? await api.get<MassSilenceView>(path)
            : await api.call<MassSilenceView>('PUT', `${path}/looked-into`, { note });
        return { json: view, text: viewWords(view) };
      };
      finish(await callAndPrint(flags, work, flags.system === true));
    });
}

function openWords(open: readonly MassSilenceReading[]): string {
  if (open.length === 0) return 'No mass silence is open: silence counts as the policies say.';
  return open
    .map(({ client_id, silent_agents, agents, began_at, still_silent }) =>
      client_id === null
        ? `${silent_agents} of all ${agents} agents fell silent at once at ${began_at}; nothing is stopped for silence until an administrator says that it was looked into.`
        : `${silent_agents} of ${agents} agents of client ${client_id} fell silent at once at ${began_at}; ${still_silent} still are, and nothing is stopped for it until it was looked into.`,
    )
    .join('\n');
}

function viewWords({ client_id, open, closed }: MassSilenceView): string {
  const now = open ? openWords([open]) : `No mass silence of client ${client_id} is open.`;
  const past = closed.map((one) =>
    one.closed_by === null
      ? `  ${one.began_at}: ${one.silent_agents} of ${one.agents} agents; all were heard again by ${one.closed_at}`
      : `  ${one.began_at}: ${one.silent_agents} of ${one.agents} agents; looked into by ${one.closed_by} at ${one.closed_at}: ${one.note}`,
  );
  return [now, ...past].join('\n');
}
