/** `spotkeeper mass-silence show|looked-into`: while one is open, nothing of its client is stopped for silence. */
import type { Command } from 'commander';
import type { MassSilenceList, MassSilenceReading, MassSilenceView } from '../../contracts/http';
import { addCallingFlags, callAndPrint, type CallingFlags } from '../call/calling-command';
import { clientOf } from '../call/find-agent';
import { UsageError } from '../usage-error';

interface LookFlags extends CallingFlags {
  note?: string;
}

export function addMassSilenceCommand(program: Command, finish: (exitCode: number) => void): void {
  addCallingFlags(
    program
      .command('mass-silence <show|looked-into>')
      .description('most agents of a client fell silent at once: show it, or say that it was looked into'),
  )
    .option('--note <text>', 'what came of looking into it, for the history')
    .action(async (what: string, flags: LookFlags) => {
      if (what !== 'show' && what !== 'looked-into')
        throw new UsageError(`mass-silence got "${what}"; it takes show or looked-into.`);
      const note = flags.note?.trim() ?? '';
      if (what === 'looked-into' && note === '')
        throw new UsageError('mass-silence looked-into takes --note: say what came of it.');
      const code = await callAndPrint(flags, async (api) => {
        if (what === 'show' && flags.client === undefined) {
          const list = await api.get<MassSilenceList>('mass-silences');
          return { json: list, text: openWords(list.mass_silences) };
        }
        const path = `clients/${encodeURIComponent(await clientOf(api))}/mass-silence`;
        const view =
          what === 'show'
            ? await api.get<MassSilenceView>(path)
            : await api.call<MassSilenceView>('PUT', `${path}/looked-into`, { note });
        return { json: view, text: viewWords(view) };
      });
      finish(code);
    });
}

function openWords(open: readonly MassSilenceReading[]): string {
  if (open.length === 0) return 'No mass silence is open: silence counts as the policies say.';
  return open
    .map(
      (one) =>
        `${one.silent_agents} of ${one.agents} agents of client ${one.client_id} fell silent at once at ${one.began_at}; ${one.still_silent} still are, and nothing is stopped for it until it was looked into.`,
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
