/** `spotkeeper stop-switch on|off|show`: holds all stopping and terminating, of a client or of the whole system. */
import type { Command } from 'commander';
import type { StopSwitchView } from '../../contracts/http';
import { addCallingFlags, callAndPrint, type CallingFlags } from '../call/calling-command';
import { UsageError } from '../usage-error';

interface SwitchFlags extends CallingFlags {
  reason?: string;
}

const WHAT = ['on', 'off', 'show'] as const;
type What = (typeof WHAT)[number];

export function addStopSwitchCommand(program: Command, finish: (exitCode: number) => void): void {
  addCallingFlags(
    program
      .command('stop-switch <on|off|show>')
      .description(
        'hold all stopping and terminating: of one client with --client, else of the whole system',
      ),
  )
    .option('--reason <text>', 'why it is set, for whoever wonders')
    .action(async (what: string, flags: SwitchFlags) => {
      if (!isWhat(what)) throw new UsageError(`stop-switch got "${what}"; it takes on, off or show.`);
      const reason = flags.reason?.trim() ?? '';
      if (what === 'on' && reason === '')
        throw new UsageError('stop-switch on takes --reason: say why it is set.');
      const path =
        flags.client === undefined
          ? 'stop-switch'
          : `clients/${encodeURIComponent(flags.client)}/stop-switch`;
      const code = await callAndPrint(
        flags,
        async (api) => {
          const view = await api.call<StopSwitchView>(
            METHODS[what],
            path,
            what === 'on' ? { reason } : undefined,
          );
          return { json: view, text: switchWords(view, flags.client ?? null) };
        },
        flags.client === undefined,
      );
      finish(code);
    });
}

const METHODS = { on: 'PUT', off: 'DELETE', show: 'GET' } as const;

function isWhat(text: string): text is What {
  return (WHAT as readonly string[]).includes(text);
}

function switchWords({ holds, switches }: StopSwitchView, clientId: string | null): string {
  const whose = clientId === null ? 'the system' : `client ${clientId}`;
  if (!holds) return `No stop switch holds ${whose}: policies and people stop and terminate as they are to.`;
  return [
    `Nothing of ${whose} is stopped or terminated:`,
    ...switches.map(
      ({ scope, reason, set_by, set_at }) =>
        `  ${scope === 'system' ? 'of the whole system' : 'of the client'}, set by ${set_by} at ${set_at}: ${reason}`,
    ),
  ].join('\n');
}
