/**
 * Temporal's time-skipping test server: from Maven Central where there is Maven and Java, kept in the same cache as the
 * Temporal CLI; else the one that the SDK loads by itself.
 */
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { SEARCH_ATTRIBUTES } from '../../contracts/ids';
import { anyFreePort } from '../../cli/parts/free-port';
import { cacheFolder } from '../../cli/parts/temporal-binary';
import { until } from './until';

const VERSION = '1.38.0';
const KEYWORD = 2; // temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD

/** An environment whose timers take no time, our search attributes known. `await environment.teardown()` in afterAll. */
export async function startTimeSkipping(): Promise<TestWorkflowEnvironment> {
  const executable = await mavenServer();
  const environment = await started(executable);
  await environment.connection.operatorService.addSearchAttributes({
    namespace: 'default',
    searchAttributes: Object.fromEntries(SEARCH_ATTRIBUTES.map((name) => [name, KEYWORD])),
  });
  return environment;
}

/** The SDK gives a server 5 s, too little for a Java machine on a busy one: it is shown a relay, once the server is there. */
async function started(executable: string | null): Promise<TestWorkflowEnvironment> {
  if (!executable) return TestWorkflowEnvironment.createTimeSkipping({});
  const port = await anyFreePort();
  const server = spawn(executable, [String(port)], { stdio: 'ignore' });
  const ended = once(server, 'exit');
  const folder = mkdtempSync(path.join(tmpdir(), 'time-skipping-'));
  const relay = path.join(folder, 'relay');
  const command = [process.execPath, path.join(__dirname, 'relay.mjs'), String(port)];
  writeFileSync(relay, `#!/bin/sh\nexec ${command.map((part) => `'${part}'`).join(' ')} "$1"\n`);
  chmodSync(relay, 0o755);
  const end = async () => {
    server.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await until('the time-skipping server listens', () => accepts(port), 60_000);
    const environment = await TestWorkflowEnvironment.createTimeSkipping({
      server: { executable: { type: 'existing-path', path: relay } },
    });
    const teardown = environment.teardown.bind(environment);
    environment.teardown = async () => {
      await teardown();
      await end();
    };
    return environment;
  } catch (error) {
    await end();
    throw error;
  }
}

function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  }).finally(() => socket.destroy()) as Promise<boolean>;
}

/** The path of a script that takes the port and becomes the server; null where Maven or Java is missing. */
async function mavenServer(): Promise<string | null> {
  const folder = path.join(cacheFolder(process.env), `temporal-test-server-${VERSION}`);
  const script = path.join(folder, 'test-server');
  if (existsSync(script)) return script;
  if (!(await runs('mvn', '--version')) || !(await runs('java', '-version'))) return null;
  mkdirSync(path.dirname(folder), { recursive: true });
  const unfinished = mkdtempSync(`${folder}.`);
  try {
    writeFileSync(path.join(unfinished, 'pom.xml'), pom());
    await promisify(execFile)(
      'mvn',
      [
        '-B',
        '-q',
        'dependency:copy-dependencies',
        '-DincludeScope=runtime',
        `-DoutputDirectory=${unfinished}/jars`,
      ],
      { cwd: unfinished, timeout: 300_000, maxBuffer: 64e6 },
    );
    writeFileSync(
      path.join(unfinished, 'test-server'),
      '#!/bin/sh\nexec java -cp "$(dirname "$0")/jars/*" io.temporal.testserver.TestServer "$1"\n',
    );
    chmodSync(path.join(unfinished, 'test-server'), 0o755);
    try {
      renameSync(unfinished, folder);
    } catch (error) {
      if (!existsSync(script)) throw error; // Else another run was first.
    }
    return script;
  } catch (error) {
    const { stdout, message } = error as Error & { stdout?: string };
    throw new Error(
      `Maven could not load io.temporal:temporal-test-server:${VERSION}: ${stdout?.trim() || message}`,
    );
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

async function runs(command: string, flag: string): Promise<boolean> {
  return promisify(execFile)(command, [flag]).then(
    () => true,
    () => false,
  );
}

function pom(): string {
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>spotkeeper</groupId><artifactId>test-server</artifactId><version>1</version><packaging>pom</packaging>
<dependencies><dependency><groupId>io.temporal</groupId><artifactId>temporal-test-server</artifactId>
<version>${VERSION}</version></dependency></dependencies></project>
`;
}
