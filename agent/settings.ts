/** The agent's settings: environment before user data before defaults. */
import type { UserData } from '../contracts/user-data';
import { jsonObject } from './http-json';

export interface AgentSettings {
  serverUrl: string;
  logicalAgentId: string;
  /** What the agent registers with: a client's token, or the one-time id of the launch that made this instance. */
  credential: string;
  terminationCheckSeconds: number;
  rebalanceCheckSeconds: number;
}

export class SettingsError extends Error {
  override name = 'SettingsError';
}

/** One source gives the termination check 60 s, which would miss most of the two minutes. */
const LONGEST_TERMINATION_CHECK_SECONDS = 10;

/** @throws SettingsError, a sentence that names what is missing or unusable. */
export function readSettings(environment: NodeJS.ProcessEnv, userData: string | null): AgentSettings {
  const told = readUserData(userData);
  const serverUrl = environment['SPOT_OPTIMIZER_SERVER_URL'] || told?.server_url;
  const logicalAgentId = environment['LOGICAL_AGENT_ID'] || told?.logical_agent_id;
  const credential = environment['SPOT_OPTIMIZER_CLIENT_TOKEN'] || told?.client_token || told?.launch_id;
  const missing = [
    ['SPOT_OPTIMIZER_SERVER_URL', serverUrl],
    ['LOGICAL_AGENT_ID', logicalAgentId],
    ['SPOT_OPTIMIZER_CLIENT_TOKEN', credential],
  ].flatMap(([name, value]) => (value ? [] : [name]));
  if (!serverUrl || !logicalAgentId || !credential) {
    throw new SettingsError(
      `The agent is not configured: neither the environment nor the user data gives ${missing.join(', ')}.`,
    );
  }
  if (!URL.canParse(serverUrl) || !/^https?:$/.test(new URL(serverUrl).protocol)) {
    throw new SettingsError(
      `SPOT_OPTIMIZER_SERVER_URL is "${serverUrl}"; it takes an address such as https://spotkeeper.example.com.`,
    );
  }
  return {
    serverUrl: serverUrl.replace(/\/+$/, ''),
    logicalAgentId,
    credential,
    terminationCheckSeconds: Math.min(
      LONGEST_TERMINATION_CHECK_SECONDS,
      seconds(environment, 'TERMINATION_CHECK_INTERVAL', 5),
    ),
    rebalanceCheckSeconds: seconds(environment, 'REBALANCE_CHECK_INTERVAL', 30),
  };
}

function seconds(environment: NodeJS.ProcessEnv, name: string, usual: number): number {
  const text = environment[name];
  if (!text) return usual;
  const value = Number(text);
  if (value > 0 && value <= 86_400) return value;
  throw new SettingsError(`${name} is "${text}"; it takes seconds, more than 0 and up to 86400.`);
}

function readUserData(text: string | null): Partial<UserData['spotkeeper']> | null {
  const told = text === null ? null : jsonObject(text)?.['spotkeeper'];
  return typeof told === 'object' && told !== null ? (told as Partial<UserData['spotkeeper']>) : null;
}
