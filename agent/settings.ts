/** The agent's settings: environment variables by the names that both sources use, and the instance's user data. */
import type { UserData } from '../contracts/user-data';
import type { LogLevel } from './log';

export class SettingsError extends Error {
  override name = 'SettingsError';
}

/** What the process needs before it can ask for anything. */
export interface LocalSettings {
  metadataUrl: string;
  home: string;
  logLevel: LogLevel;
  heartbeatIntervalSeconds: number;
  terminationCheckSeconds: number;
  rebalanceCheckSeconds: number;
  /** How a replica copies the primary's state: a command of the workload; null where there is none to copy. */
  syncCommand: string | null;
}

/** Whose agent this is, and how it may register. */
export interface ServerSettings {
  serverUrl: string;
  logicalAgentId: string;
  /** A client's token, or the launch id of the one launch that made this instance. */
  credential: string;
}

/** Less often would miss most of a notice's two minutes. */
const LONGEST_TERMINATION_CHECK_SECONDS = 10;

/** @throws SettingsError with a sentence a bad variable. */
export function readLocalSettings(environment: NodeJS.ProcessEnv): LocalSettings {
  const faults: string[] = [];
  const seconds = (name: string, standard: number): number => {
    const text = environment[name] ?? '';
    if (text === '') return standard;
    const value = Number(text);
    if (value > 0 && value <= 86_400) return value;
    faults.push(sentence(name, text, 'a number of seconds above 0, at most 86400'));
    return standard;
  };
  const settings = {
    metadataUrl: environment.AWS_EC2_METADATA_SERVICE_ENDPOINT || 'http://169.254.169.254',
    home: environment.SPOT_AGENT_HOME || '/opt/spot-agent',
    logLevel: (environment.LOG_LEVEL || 'INFO').toUpperCase() as LogLevel,
    heartbeatIntervalSeconds: seconds('HEARTBEAT_INTERVAL', 30),
    terminationCheckSeconds: Math.min(
      LONGEST_TERMINATION_CHECK_SECONDS,
      seconds('TERMINATION_CHECK_INTERVAL', 5),
    ),
    rebalanceCheckSeconds: seconds('REBALANCE_CHECK_INTERVAL', 30),
    syncCommand: environment.SYNC_COMMAND || null,
  };
  if (!isHttpUrl(settings.metadataUrl)) {
    faults.push(
      sentence(
        'AWS_EC2_METADATA_SERVICE_ENDPOINT',
        settings.metadataUrl,
        'an address such as http://169.254.169.254',
      ),
    );
  }
  if (!['DEBUG', 'INFO', 'WARNING', 'ERROR'].includes(settings.logLevel)) {
    faults.push(sentence('LOG_LEVEL', settings.logLevel, 'one of DEBUG, INFO, WARNING, ERROR'));
  }
  if (faults.length > 0) throw new SettingsError(faults.join('\n'));
  return settings;
}

/**
 * The environment goes before user data, except on an instance that was launched by the server: there the environment
 * may be its maker's, copied with the image.
 * @param userData as the metadata service has it; what isn't ours, such as a script, counts as none.
 * @throws SettingsError
 */
export function readServerSettings(environment: NodeJS.ProcessEnv, userData: string | null): ServerSettings {
  const given = parseUserData(userData);
  const fromEnvironment = {
    server_url: environment.SPOT_OPTIMIZER_SERVER_URL || environment.SERVER_URL || undefined,
    client_token: environment.SPOT_OPTIMIZER_CLIENT_TOKEN || environment.CLIENT_TOKEN || undefined,
    logical_agent_id: environment.LOGICAL_AGENT_ID || undefined,
  };
  const launched = given.launch_id !== undefined;
  const pick = (name: keyof typeof fromEnvironment): string | undefined =>
    launched ? (given[name] ?? fromEnvironment[name]) : (fromEnvironment[name] ?? given[name]);
  const serverUrl = pick('server_url');
  const logicalAgentId = pick('logical_agent_id');
  const credential = given.launch_id ?? pick('client_token');
  const faults: string[] = [];
  if (!serverUrl) faults.push(missing('SPOT_OPTIMIZER_SERVER_URL', 'server_url'));
  else if (!isHttpUrl(serverUrl)) {
    faults.push(
      sentence('SPOT_OPTIMIZER_SERVER_URL', serverUrl, 'an address such as https://spotkeeper.example.com'),
    );
  }
  if (!logicalAgentId) faults.push(missing('LOGICAL_AGENT_ID', 'logical_agent_id'));
  if (!credential) faults.push(missing('SPOT_OPTIMIZER_CLIENT_TOKEN', 'client_token'));
  else if (!/^[\x21-\x7e]+$/.test(credential)) {
    faults.push(sentence('SPOT_OPTIMIZER_CLIENT_TOKEN', '(hidden)', 'a token without blanks'));
  }
  if (!serverUrl || !logicalAgentId || !credential || faults.length > 0) {
    throw new SettingsError(faults.join('\n'));
  }
  return { serverUrl: serverUrl.replace(/\/+$/, ''), logicalAgentId, credential };
}

function parseUserData(text: string | null): Partial<UserData['spotkeeper']> {
  if (text === null) return {};
  try {
    const parsed = JSON.parse(text) as { spotkeeper?: unknown } | null;
    const ours = parsed?.spotkeeper;
    if (typeof ours !== 'object' || ours === null) return {};
    const texts = Object.entries(ours).filter(([, value]) => typeof value === 'string' && value !== '');
    return Object.fromEntries(texts) as Partial<UserData['spotkeeper']>;
  } catch {
    // A script or cloud-init's YAML: not for us.
    return {};
  }
}

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}

function sentence(name: string, got: string, takes: string): string {
  return `The environment variable ${name} is not usable: got "${got}"; it takes ${takes}.`;
}

function missing(variable: string, userDataField: string): string {
  return `The environment variable ${variable} is not set, and the instance's user data holds no ${userDataField}: set one of them.`;
}
