/** What one test file has taken into use, for the check at its end (leak-check.ts). */

/** In the environment of every process started from a test file, and so in its descendants'. */
export const MARK_VARIABLE = 'SPOTKEEPER_TEST_FILE';

export interface TestFileBooks {
  /** Unique to the file and the run; also good in names. */
  mark: string;
  /** Databases made and not yet dropped. */
  databases: Set<string>;
  /** Sentences on what was found left behind before the end, for example at the drop of a database. */
  leaks: string[];
  /** Log files of the processes started, to be shown when a test fails. */
  logs: Map<string, string>;
}

const KEY = Symbol.for('spotkeeper.test-file');

/** The running file's books; one realm's globals belong to one file. */
export function testFile(): TestFileBooks {
  const books = (globalThis as { [KEY]?: TestFileBooks })[KEY];
  if (!books) throw new Error('test/harness can only be used inside a test file run by jest.');
  return books;
}

export function openBooks(realm: object, mark: string): TestFileBooks {
  const books: TestFileBooks = { mark, databases: new Set(), leaks: [], logs: new Map() };
  (realm as { [KEY]?: TestFileBooks })[KEY] = books;
  return books;
}
