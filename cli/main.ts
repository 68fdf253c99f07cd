/** The `spotkeeper` command: `main(['start', '--speed', '60'])`. */
import { Command, CommanderError } from 'commander';
import { EnvironmentError } from '../contracts/environment';
import { addAgentActs } from './commands/agent-acts';
import { addAgentsCommands } from './commands/agents';
import { addBenchCommand } from './commands/bench';
import { addCloudCommand } from './commands/cloud';
import { addMassSilenceCommand } from './commands/mass-silence';
import { addStartCommand } from './commands/start';
import { addStopSwitchCommand } from './commands/stop-switch';
import { PartError } from './parts/part';
import { UsageError } from './usage-error';

/** Runs one command to its end. Returns the exit code: 0, 1 for a failure, 2 for bad usage. */
export async function main(args: string[]): Promise<number> {
  let exitCode = 0;
  const program = new Command('spotkeeper')
    .description('A durable control plane for fleets of EC2 spot instances')
    .showHelpAfterError('(spotkeeper --help lists the commands, spotkeeper <command> --help its flags)')
    .configureOutput({ outputError: (text, write) => write(asSentence(text)) })
    .exitOverride();
  const finish = (code: number) => (exitCode = code);
  addStartCommand(program, finish);
  addCloudCommand(program, finish);
  addBenchCommand(program, finish);
  addAgentsCommands(program, finish);
  addAgentActs(program, finish);
  addStopSwitchCommand(program, finish);
  addMassSilenceCommand(program, finish);
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof UsageError || error instanceof EnvironmentError) {
      console.error(error.message);
      return 2;
    }
    // A part's failure is a sentence already; anything else is shown whole where someone may need to look.
    const known = error instanceof PartError || !process.env.SPOTKEEPER_DEBUG;
    console.error(known ? (error as Error).message : error);
    return 1;
  }
}

/** Commander's "error: unknown option '--x'" as a sentence. */
function asSentence(text: string): string {
  const sentence = text.replace(/^error: /, '').trim();
  return `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}${/[.)]$/.test(sentence) ? '' : '.'}\n`;
}
