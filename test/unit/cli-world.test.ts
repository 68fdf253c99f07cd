/** A state goes on only with what it was made with. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { readStartSettings, type StartFlags } from '../../cli/start/settings';
import { StateFolder } from '../../cli/start/state-folder';
import { agreeOnWorld, keepMarket, keepServers } from '../../cli/start/world';

let folder: string;
let state: StateFolder;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'spotkeeper-world-'));
  state = new StateFolder(folder);
});

/** A start that comes up. */
function start(flags: StartFlags = {}, env: NodeJS.ProcessEnv = {}) {
  const settings = readStartSettings(flags, env);
  const market = agreeOnWorld(state, settings);
  keepServers(state, settings);
  keepMarket(state, market);
  return market;
}
afterEach(() => rmSync(folder, { recursive: true }));

test('the first start takes the defaults, and a later one what the first was asked for', () => {
  expect(start()).toEqual({ speed: 1, traces: null });
  state.clear([]);
  const asked = { speed: '60', traces: folder };
  expect(start(asked)).toEqual({ speed: 60, traces: folder });
  expect(start()).toEqual({ speed: 60, traces: folder });
  expect(start(asked)).toEqual({ speed: 60, traces: folder });
});

test.each([
  [{ speed: '2' }, {}, 'the speed "1", and this start asks for "2"'],
  [{ traces: '/tmp' }, {}, 'the traces "synthetic", and this start asks for "/tmp"'],
  [
    {},
    { DATABASE_URL: 'postgres://me:geheim@h/x' },
    'the database "embedded", and this start asks for "postgres://me@h/x"',
  ],
  [{}, { TEMPORAL_ADDRESS: 'h:1' }, 'the temporal "embedded", and this start asks for "h:1/default"'],
])('%j %j is refused on a state made with the defaults', (flags, env, sentence) => {
  start();
  expect(() => start(flags, env)).toThrow(sentence);
});

test('a start that did not come up binds nobody', () => {
  agreeOnWorld(state, readStartSettings({ speed: '9' }, { TEMPORAL_ADDRESS: 'mistyped:1' }));
  expect(start({ speed: '2' }, { TEMPORAL_ADDRESS: 'right:1' })).toEqual({ speed: 2, traces: null });
});
