/** What counts as a yes at a terminal. */
import { PassThrough } from 'node:stream';
import { confirm } from '../../cli/call/confirm';

function terminal(answer: string) {
  const input = new PassThrough();
  input.end(`${answer}\n`);
  return { input, output: new PassThrough() };
}

it.each([
  ['y', true],
  ['YES', true],
  [' yes ', true],
  ['', false],
  ['n', false],
  ['yesterday', false],
])('takes "%s" for %s', async (answer, meant) => {
  const at = terminal(answer);
  expect(await confirm('Delete agent a?', at)).toBe(meant);
  expect(String(at.output.read())).toContain('Delete agent a? [y/N] ');
});

it('says how to say yes where nobody can be asked', async () => {
  await expect(confirm('Delete agent a?', null)).rejects.toThrow('Say so beforehand with --yes.');
});
