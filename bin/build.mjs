// Turns the TypeScript of every room into dist/, file by file, and prebuilds the workflow bundle that the workers
// load. A stamp over the sources' contents makes a second call free, so every start and test run may call it.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync, existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const rooms = [
  'contracts',
  'workflows',
  'activities',
  'workers',
  'api',
  'agent',
  'policy',
  'cloud',
  'db',
  'temporal',
  'simulator',
  'cli',
];
const dist = path.join(root, 'dist');
const stampFile = path.join(dist, 'build.stamp');

function sources() {
  return rooms.flatMap((room) => {
    const folder = path.join(root, room);
    if (!existsSync(folder)) return [];
    return readdirSync(folder, { recursive: true })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => path.join(folder, name));
  });
}

function fingerprint(files) {
  const hash = createHash('sha256').update(process.version);
  for (const file of [
    ...files,
    path.join(root, 'package-lock.json'),
    fileURLToPath(import.meta.url),
  ].sort()) {
    hash.update(path.relative(root, file)).update('\0').update(readFileSync(file)).update('\0');
  }
  return hash.digest('hex');
}

/** Builds dist/ if a source changed since the last build. Returns whether it built. */
export async function build() {
  const files = sources();
  const stamp = fingerprint(files);
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return false;
  const require = createRequire(import.meta.url);
  const esbuild = require('esbuild');
  rmSync(dist, { recursive: true, force: true });
  mkdirSync(dist, { recursive: true });
  await esbuild.build({
    entryPoints: files,
    outdir: dist,
    outbase: root,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    sourcemap: true,
    logLevel: 'warning',
  });
  const agentEntry = path.join(root, 'agent', 'main.ts');
  if (existsSync(agentEntry)) {
    await esbuild.build({
      entryPoints: [agentEntry],
      outfile: path.join(dist, 'spot-agent.js'),
      bundle: true,
      format: 'cjs',
      platform: 'node',
      target: 'node20',
      sourcemap: true,
      logLevel: 'warning',
    });
  }
  const { bundleWorkflowCode } = require('@temporalio/worker');
  const { code } = await bundleWorkflowCode({
    workflowsPath: path.join(root, 'workflows', 'index.ts'),
    logger: { trace() {}, debug() {}, info() {}, warn: console.warn, error: console.error, log() {} },
  });
  writeFileSync(path.join(dist, 'workflow-bundle.js'), code);
  writeFileSync(stampFile, stamp);
  return true;
}

if (process.argv[1] && pathToFileURL(process.argv[1]).href === import.meta.url) await build();
