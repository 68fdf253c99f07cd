/** Becoming an agent: with what the state file remembers of this very instance, else by registering. */
import type { Log } from './log';
import type { Identity } from './metadata';
import { Refusal, ServerClient } from './server-client';
import type { AgentSettings } from './settings';
import type { AgentMemory, StateFile } from './state-file';
import { pause } from './worker-loop';

export const AGENT_VERSION = '0.1.0';

const LONGEST_PAUSE_SECONDS = 15;

/** The refusals that no repeat changes. */
const FINAL_CODES = ['stand_down', 'unknown_launch'];

/**
 * Registers, for as long as it takes the server to answer.
 * @returns null when the server says that this instance is not wanted, or the agent is stopped before it answers.
 */
export async function registerAgent(
  settings: AgentSettings,
  identity: Identity,
  stateFile: StateFile,
  log: Log,
  stopping: AbortSignal,
): Promise<AgentMemory | null> {
  const server = new ServerClient(settings.serverUrl);
  for (let failures = 0; !stopping.aborted; failures += 1) {
    let pauseSeconds =
      Math.min(LONGEST_PAUSE_SECONDS, 0.5 * 2 ** Math.min(failures, 6)) * (0.5 + Math.random() / 2);
    try {
      const reply = await server.register(
        settings.credential,
        settings.logicalAgentId,
        identity,
        AGENT_VERSION,
      );
      const memory: AgentMemory = {
        version: 1,
        agent_id: reply.agent_id,
        logical_agent_id: settings.logicalAgentId,
        instance_id: identity.instanceId,
        current_mode: identity.mode,
        server_url: settings.serverUrl,
        incarnation: reply.incarnation,
        agent_token: reply.agent_token,
        last_heartbeat: null,
        stood_down_at: null,
      };
      stateFile.write(memory);
      log('info', `Agent registered as agent: ${reply.agent_id}`, {
        role: reply.role,
        incarnation: reply.incarnation,
      });
      return memory;
    } catch (error) {
      log('warn', `Failed to register agent: ${(error as Error).message}`);
      if (error instanceof Refusal) {
        if (FINAL_CODES.includes(error.code)) return null;
        pauseSeconds = error.retryAfterSeconds ?? pauseSeconds;
      }
    }
    await pause(pauseSeconds, stopping);
  }
  return null;
}
