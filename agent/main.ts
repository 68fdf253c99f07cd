/** The agent's process. Exit codes: 0 stopped or not wanted (systemd lets it be), 1 failed (systemd starts it again), 2
 * not configured. */
import { Agent } from './agent';
import { createLog } from './log';
import { type Identity, Metadata } from './metadata';
import { registerAgent } from './registration';
import { type AgentSettings, readSettings, SettingsError } from './settings';
import { type AgentMemory, StateFile } from './state-file';
import { pause } from './worker-loop';

const log = createLog();
const stopping = new AbortController();

async function main(): Promise<void> {
  const metadata = new Metadata(
    endpointOf(process.env['AWS_EC2_METADATA_SERVICE_ENDPOINT'] ?? 'http://169.254.169.254'),
  );
  const stateFile = new StateFile(process.env['SPOT_AGENT_HOME'] ?? '/opt/spot-agent', log);
  let agent: Agent | null = null;
  const stop = (signal: string) => {
    log('info', `Stopping on ${signal}`);
    stopping.abort();
    agent?.end('stopped');
  };
  process.once('SIGTERM', () => stop('SIGTERM'));
  process.once('SIGINT', () => stop('SIGINT'));

  const facts = await factsOf(metadata);
  if (!facts) return;
  const { identity, userData } = facts;
  const settings = readSettings(process.env, userData);
  while (!stopping.signal.aborted) {
    const memory =
      remembered(stateFile, identity, settings) ??
      (await registerAgent(settings, identity, stateFile, log, stopping.signal));
    if (!memory) return;
    if (memory.stood_down_at) {
      log('warn', 'This instance was superseded; its agent does nothing any more.', {
        since: memory.stood_down_at,
      });
      return;
    }
    agent = new Agent(memory, identity, metadata, log, settings, stateFile);
    log('info', `Agent started - ID: ${memory.agent_id}`, {
      instance: identity.instanceId,
      instance_type: identity.instanceType,
    });
    const ending = await agent.run();
    if (ending === 'superseded') return;
    if (ending === 'stopped') return agent.sayGoodbye();
    forget(stateFile, memory);
  }
}

/** The metadata service can take a moment after the boot. */
async function factsOf(metadata: Metadata): Promise<{ identity: Identity; userData: string | null } | null> {
  while (!stopping.signal.aborted) {
    try {
      return { identity: await metadata.identity(), userData: await metadata.userData() };
    } catch (error) {
      log('warn', (error as Error).message);
      await pause(1, stopping.signal);
    }
  }
  return null;
}

/** What an earlier start on this instance left; another instance's came with an image and counts for nothing. */
function remembered(stateFile: StateFile, identity: Identity, settings: AgentSettings): AgentMemory | null {
  const memory = stateFile.read();
  if (memory?.instance_id !== identity.instanceId || memory.agent_token === 'revoked') return null;
  if (memory.server_url !== settings.serverUrl || memory.logical_agent_id !== settings.logicalAgentId)
    return null;
  return memory;
}

/** The server no longer knows the token: the next round registers. */
function forget(stateFile: StateFile, memory: AgentMemory): void {
  stateFile.write({ ...memory, agent_token: 'revoked' });
}

function endpointOf(text: string): string {
  if (URL.canParse(text)) return text.replace(/\/+$/, '');
  throw new SettingsError(
    `AWS_EC2_METADATA_SERVICE_ENDPOINT is "${text}"; it takes an address such as http://169.254.169.254.`,
  );
}

main().catch((error: unknown) => {
  log('error', error instanceof Error ? error.message : String(error));
  process.exitCode = error instanceof SettingsError ? 2 : 1;
});
