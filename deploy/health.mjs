// Whether the process beside it does its work: `node deploy/health.mjs api` or `worker`, with that process's environment.
// Exits 0 if so; else 1, with a sentence.
import { hostname } from 'node:os';

const CHECKS = { api: checkApi, worker: checkWorker };
/** A poll waits for up to a minute; one that is older than this has nobody behind it. */
const POLLED_WITHIN_MS = 90_000;

async function checkApi() {
  const url = `http://127.0.0.1:${process.env.PORT || 5000}/health`;
  const response = await fetch(url, { signal: AbortSignal.timeout(4_000) });
  if (!response.ok) throw new Error(`${url} answers ${response.status}.`);
}

/** A worker serves no port; that it lives shows at the Temporal server, where it asks for work. */
async function checkWorker() {
  const { readWorkerSettings } = await import('../dist/workers/settings.js');
  const { connectTemporal } = await import('../dist/temporal/connect.js');
  const settings = readWorkerSettings(process.env);
  const { client, close } = await connectTemporal(settings);
  try {
    const { pollers } = await client.workflowService.describeTaskQueue({
      namespace: settings.TEMPORAL_NAMESPACE,
      taskQueue: { name: settings.TASK_QUEUE },
      taskQueueType: 1, // Workflow tasks.
    });
    // A worker's identity is its process id and its host.
    const mine = (pollers ?? []).filter(({ identity }) => identity?.endsWith(`@${hostname()}`));
    const newest = Math.max(0, ...mine.map((one) => Number(one.lastAccessTime?.seconds ?? 0) * 1000));
    if (Date.now() - newest > POLLED_WITHIN_MS)
      throw new Error(`No worker on ${hostname()} asks for tasks of ${settings.TASK_QUEUE}.`);
  } finally {
    await close();
  }
}

const check = CHECKS[process.argv[2]];
if (!check) {
  console.error(`health.mjs got "${process.argv[2] ?? ''}"; it takes api or worker.`);
  process.exit(2);
}
try {
  await check();
  process.exit(0);
} catch (error) {
  console.error(`Not healthy: ${error.message}`);
  process.exit(1);
}
