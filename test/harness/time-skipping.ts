/**
 * Temporal's time-skipping test server: from Maven Central where there is Maven and Java, kept in the same cache as the
 * Temporal CLI; else the one that the SDK loads by itself.
 */
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { SEARCH_ATTRIBUTES } from '../../contracts/ids';
import { cacheFolder } from '../../cli/parts/temporal-binary';

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

/** The SDK gives a server 5 s; a Java machine on a busy one can take longer, and is quicker the next time. */
async function started(executable: string | null): Promise<TestWorkflowEnvironment> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await TestWorkflowEnvironment.createTimeSkipping(
        executable ? { server: { executable: { type: 'existing-path', path: executable } } } : {},
      );
    } catch (error) {
      if (attempt === 4 || !/did not start within/.test(String(error))) throw error;
    }
  }
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
