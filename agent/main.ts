/**
 * The agent on an instance: `spot-agent start`. It reports in, passes on EC2's notices, and stands down when another
 * instance is the agent. It ends with 0 when it was told to or has stood down, with 2 when its settings are unusable, and
 * with 1 on a fault of its own, after which systemd starts it again.
 */
import { Log, reasonOf } from './log';
import { type InstanceIdentity, Metadata } from './metadata';
import { ServerClient } from './server-client';
import { Session, StoodDown } from './session';
import {
  type LocalSettings,
  readLocalSettings,
  readServerSettings,
  type ServerSettings,
  SettingsError,
} from './settings';
import { type AgentStateFile, StateFile } from './state-file';
import { AGENT_VERSION } from './version';
import { Backoff, pause } from './waiting';
import { heartbeatWorker } from './workers/heartbeat';
import { rebalanceCheckWorker } from './workers/rebalance-check';
import { replicaStandingWorker, replicaSyncWorker } from './workers/replica-sync';
import { terminationCheckWorker } from './workers/termination-check';

const GOODBYE_TIMEOUT_MS = 3_000;

async function main(): Promise<void> {
  const local = readLocalSettings(process.env);
  const log = new Log(local.logLevel);
  const told = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      if (!told.signal.aborted) log.info(`Received ${name}`);
      told.abort();
    });
  }
  const metadata = new Metadata(local.metadataUrl);
  const machine = await askMetadata(metadata, log, told.signal);
  if (!machine) return;
  const settings = readServerSettings(process.env, machine.userData);
  const stateFile = new StateFile(local.home);
  const remembered = recall(stateFile, machine.identity, settings, log);
  if (remembered?.stood_down) {
    log.info(`This instance has stood down: ${remembered.stood_down.message}`);
    return;
  }
  const session = new Session(
    {
      local,
      settings,
      identity: machine.identity,
      server: new ServerClient(settings.serverUrl),
      stateFile,
      log,
    },
    remembered,
  );
  await work(session, metadata, local, told.signal);
}

async function work(
  session: Session,
  metadata: Metadata,
  { home }: LocalSettings,
  told: AbortSignal,
): Promise<void> {
  const { identity, log, server } = session.parts;
  const ending = new AbortController();
  const signal = AbortSignal.any([told, ending.signal]);
  try {
    if (!session.agent) await session.register(signal);
    if (!told.aborted) {
      log.info(`Agent started - ID: ${session.agent?.id} (files in ${home})`);
      log.info(`Instance: ${identity.instanceId} (${identity.instanceType})`);
      log.info(`Version: ${AGENT_VERSION}`);
    }
    const workers = [
      heartbeatWorker(session, signal),
      terminationCheckWorker(session, metadata, signal),
      rebalanceCheckWorker(session, metadata, signal),
      ...(session.role === 'replica'
        ? [replicaSyncWorker(session, signal), replicaStandingWorker(session, signal)]
        : []),
    ];
    try {
      await Promise.all(workers);
    } finally {
      ending.abort();
      await Promise.allSettled(workers);
    }
  } catch (error) {
    if (!(error instanceof StoodDown)) throw error;
    log.warning(`Standing down: ${error.message}`);
    return;
  }
  const { agent } = session;
  if (!agent) return;
  const goodbye = await server.heartbeat(
    agent,
    'offline',
    identity,
    AbortSignal.timeout(GOODBYE_TIMEOUT_MS),
    GOODBYE_TIMEOUT_MS,
  );
  log.info(goodbye.next === 'go_on' ? 'Agent shutdown reported' : 'Agent shutdown could not be reported');
}

/** Early in a boot the service may not answer yet. Null when the agent is told to stop first. */
async function askMetadata(
  metadata: Metadata,
  log: Log,
  signal: AbortSignal,
): Promise<{ identity: InstanceIdentity; userData: string | null } | null> {
  const backoff = new Backoff(200, 10_000);
  while (!signal.aborted) {
    try {
      return { identity: await metadata.identity(signal), userData: await metadata.userData(signal) };
    } catch (error) {
      if (signal.aborted) return null;
      log.error(`The instance metadata is not readable: ${reasonOf(error)}`);
      await pause(backoff.nextMs(), signal);
    }
  }
  return null;
}

/** The state that an earlier process left, if it is this instance's and of the same agent on the same server. */
function recall(
  stateFile: StateFile,
  identity: InstanceIdentity,
  settings: ServerSettings,
  log: Log,
): AgentStateFile | null {
  const content = stateFile.read();
  switch (content.found) {
    case 'nothing':
      return null;
    case 'corrupt':
      log.warning(`The state file was corrupt (${content.reason}); it is now ${content.setAside}`);
      return null;
    case 'state': {
      const { state } = content;
      if (state.instance_id !== identity.instanceId) {
        log.info(
          `The state file is of instance ${state.instance_id}, this is ${identity.instanceId}: registering`,
        );
        return null;
      }
      const sameAgent =
        state.logical_agent_id === settings.logicalAgentId && state.server_url === settings.serverUrl;
      return sameAgent ? state : null;
    }
  }
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    const usage = error instanceof SettingsError;
    process.stderr.write(usage ? `${error.message}\n` : `The agent failed: ${(error as Error).stack}\n`);
    process.exit(usage ? 2 : 1);
  },
);
