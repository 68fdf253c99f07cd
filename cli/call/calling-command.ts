/** What all commands that talk to the API have in common: flags, and how their results and failures are printed. */
import type { Command } from 'commander';
import { type AddressFlags, readApiAddress } from './api-address';
import { ApiCaller } from './api-caller';
import { CallError } from './call-error';

export interface CallingFlags extends AddressFlags {
  json?: boolean;
}

export interface Result {
  /** For programs. */
  json: object;
  /** For people. */
  text: string;
  /** Not done, as the person wished. */
  declined?: true;
}

export function addCallingFlags(command: Command): Command {
  return command
    .option(
      '--url <url>',
      'the address of the API (default: SPOTKEEPER_URL, else that of the running npm start)',
    )
    .option('--token <token>', 'a token (default: SPOTKEEPER_TOKEN, else that of the running npm start)')
    .option('--client <id>', 'the client that is meant, where the token sees several')
    .option('--json', 'print one JSON object, last, alone on its line');
}

/**
 * Runs `work` and prints what comes of it; a refusal by the API is printed, too, with --json as an object with `error`.
 * @param asAdmin see readApiAddress.
 * @returns the exit code.
 */
export async function callAndPrint(
  flags: CallingFlags,
  work: (api: ApiCaller) => Promise<Result>,
  asAdmin = false,
): Promise<number> {
  try {
    const api = new ApiCaller(readApiAddress(flags, process.env, asAdmin));
    const { json, text, declined } = await work(api);
    console.log(flags.json ? JSON.stringify(json) : text);
    return declined ? 1 : 0;
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    console.error(error.message);
    const { status, code, message } = error;
    if (flags.json) console.log(JSON.stringify({ success: false, error: { status, code, message } }));
    return 1;
  }
}
