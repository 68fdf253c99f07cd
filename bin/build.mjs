// Turns the TypeScript of every room into dist/, file by file, and prebuilds the workflow bundle that the workers
// load, and the web page. A stamp over the sources' contents makes a second call free, so every start and test run may
// call it. What is built takes the place of dist/ in one rename, so that processes which start meanwhile find a whole one.
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
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
  return rooms.flatMap((room) => filesOf(room).filter((name) => name.endsWith('.ts')));
}

function filesOf(room) {
  const folder = path.join(root, room);
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
}

/** The page's sources, when there are any. */
function pageSources() {
  return existsSync(path.join(root, 'dashboard', 'index.html')) ? filesOf('dashboard') : [];
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

function swapIn(built, work) {
  const old = path.join(work, 'old');
  for (let attempt = 1; ; attempt++) {
    if (existsSync(dist)) renameSync(dist, `${old}-${attempt}`);
    try {
      renameSync(built, dist);
      return;
    } catch (error) {
      // Another build put its own there between the two renames.
      if (!['ENOTEMPTY', 'EEXIST'].includes(error.code) || attempt === 5) throw error;
    }
  }
}

/** Builds dist/ if a source changed since the last build. Returns whether it built. */
export async function build() {
  const files = sources();
  const page = pageSources();
  const stamp = fingerprint([...files, ...page]);
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return false;
  // Beside dist/, since a rename doesn't cross file systems.
  const scratch = path.join(root, '.spotkeeper');
  mkdirSync(scratch, { recursive: true, mode: 0o711 });
  const work = mkdtempSync(path.join(scratch, 'build-'));
  try {
    const built = path.join(work, 'dist');
    mkdirSync(built);
    await compile(files, built);
    keepTypeCheckCaches(built);
    // The system runs without its page; without a stamp the next build tries again.
    if (page.length === 0 || (await buildPage(built, fingerprint(page))))
      writeFileSync(path.join(built, 'build.stamp'), stamp);
    swapIn(built, work);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return true;
}

async function compile(files, target) {
  const require = createRequire(import.meta.url);
  const esbuild = require('esbuild');
  const common = {
    absWorkingDir: root,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    sourcemap: true,
    logLevel: 'warning',
  };
  await esbuild.build({ ...common, entryPoints: files, outdir: target, outbase: root });
  const agentEntry = path.join(root, 'agent', 'main.ts');
  if (existsSync(agentEntry)) {
    const outfile = path.join(target, 'spot-agent.js');
    await esbuild.build({ ...common, entryPoints: [agentEntry], outfile, bundle: true });
  }
  const workflowsPath = path.join(root, 'workflows', 'index.ts');
  if (existsSync(workflowsPath)) {
    const { bundleWorkflowCode } = require('@temporalio/worker');
    const { code } = await bundleWorkflowCode({
      workflowsPath,
      payloadConverterPath: path.join(root, 'workflows', 'payload-converter.ts'),
      logger: { trace() {}, debug() {}, info() {}, warn: console.warn, error: console.error, log() {} },
    });
    writeFileSync(path.join(target, 'workflow-bundle.js'), code);
  }
}

/**
 * The page, made anew only when its own sources changed. Returns whether it could be built; says why if not.
 * @param stamp of the page's sources.
 */
async function buildPage(built, stamp) {
  const outDir = path.join(built, 'dashboard');
  const stampName = 'dashboard.stamp';
  try {
    const before = path.join(dist, stampName);
    if (existsSync(before) && readFileSync(before, 'utf8') === stamp) {
      cpSync(path.join(dist, 'dashboard'), outDir, { recursive: true });
    } else {
      const { build: viteBuild } = await import('vite');
      const configFile = path.join(root, 'dashboard', 'vite.config.mjs');
      await viteBuild({ configFile, logLevel: 'silent', build: { outDir, emptyOutDir: true } });
    }
    writeFileSync(path.join(built, stampName), stamp);
    return true;
  } catch (error) {
    console.error(`The dashboard could not be built: ${error.message}`);
    return false;
  }
}

/** tsc keeps what it knows of the last check in dist/. */
function keepTypeCheckCaches(built) {
  if (!existsSync(dist)) return;
  for (const name of readdirSync(dist).filter((file) => file.startsWith('.tsbuildinfo')))
    copyFileSync(path.join(dist, name), path.join(built, name));
}

if (process.argv[1] && pathToFileURL(process.argv[1]).href === import.meta.url) await build();
