// `npm test`: types, lint, formatting, then every kind of test; stops at the first that fails. With arguments
// (`npm test -- test/unit/x.test.ts`, any of jest's) only the tests they select.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { BootstrapError, bootstrap, root } from './bootstrap.mjs';

const selected = process.argv.slice(2);
const bin = (name, ...file) => [path.join(root, 'node_modules', name, ...file)];
const jest = { name: 'tests', args: [...bin('jest', 'bin', 'jest.js'), ...selected] };
const checks =
  selected.length > 0
    ? [jest]
    : [
        { name: 'types', args: [...bin('typescript', 'bin', 'tsc'), '--noEmit'] },
        { name: 'types of the page', args: [...bin('typescript', 'bin', 'tsc'), '-p', 'dashboard'] },
        { name: 'lint', args: [...bin('eslint', 'bin', 'eslint.js'), '--max-warnings', '0', '.'] },
        {
          name: 'formatting',
          args: [...bin('prettier', 'bin', 'prettier.cjs'), '--check', '--log-level', 'warn', '.'],
        },
        jest,
      ];

async function main() {
  await bootstrap();
  const done = [];
  for (const { name, args } of checks) {
    const start = Date.now();
    const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit' });
    const [code, signal] = await once(child, 'exit');
    const took = `${((Date.now() - start) / 1000).toFixed(1)} s`;
    if (code !== 0) {
      console.error(`\n${name}: FAILED after ${took} (${signal ?? `exit code ${code}`}); see above.`);
      console.error(done.length > 0 ? `Passed before: ${done.join(', ')}` : 'Nothing had passed before.');
      return 1;
    }
    done.push(`${name} ${took}`);
    console.log(`${name}: passed in ${took}`);
  }
  if (done.length > 1) console.log(`\nAll passed: ${done.join(', ')}`);
  return 0;
}

// A Ctrl-C reaches the running check as well; it ends, and so do we, with its failure.
process.on('SIGINT', () => undefined);
try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof BootstrapError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
