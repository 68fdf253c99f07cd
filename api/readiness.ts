/** `/health` (the process is up) and `/ready` (what it needs is up too). */
import type { Client } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import { Router } from 'express';
import { sql } from 'kysely';
import type { Db } from '../db/connect';
import { Problem } from './http/problem';
import { route } from './http/route';

export interface ReadinessParts {
  apiDb: Db;
  temporal: Client;
  taskQueue: string;
}

const ANSWER_MS = 3_000;
/** A worker's poll waits for up to a minute, and the server remembers pollers for longer than they live. */
const POLLED_WITHIN_MS = 75_000;

type Check = () => Promise<string | null>;

export function readinessRoutes(parts: ReadinessParts): Router {
  const router = Router();
  route(router, '/health', {
    GET: (_request, response) => {
      response.json({ status: 'ok' });
    },
  });
  route(router, '/ready', {
    GET: async (_request, response) => {
      const checks: Record<string, Check> = {
        postgres: () => postgresFault(parts),
        temporal: () => temporalFault(parts),
        worker: () => workerFault(parts),
      };
      const found = await Promise.all(
        Object.entries(checks).map(async ([part, check]) => [part, await inTime(check)] as const),
      );
      const states = Object.fromEntries(found.map(([part, fault]) => [part, fault ?? 'ok']));
      const faults = found.filter(([, fault]) => fault !== null);
      if (faults.length === 0) {
        response.json({ status: 'ready', parts: states });
        return;
      }
      const detail = faults.map(([part, fault]) => `${part}: ${fault}`).join('; ');
      throw new Problem(503, 'not_ready', `Not ready: ${detail}.`, {
        headers: { 'Retry-After': '1' },
        extensions: { parts: states },
      });
    },
  });
  return router;
}

async function inTime(check: Check): Promise<string | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`no answer within ${ANSWER_MS / 1000} s`), ANSWER_MS);
  });
  try {
    return await Promise.race([check(), late]);
  } catch (error) {
    return error instanceof Error
      ? error.message || String((error as { code?: unknown }).code)
      : String(error);
  } finally {
    clearTimeout(timer);
  }
}

async function postgresFault({ apiDb }: ReadinessParts): Promise<string | null> {
  await sql`select 1`.execute(apiDb);
  return null;
}

async function temporalFault({ temporal: client }: ReadinessParts): Promise<string | null> {
  await client.withDeadline(Date.now() + ANSWER_MS, () =>
    client.workflowService.describeNamespace({ namespace: client.options.namespace }),
  );
  return null;
}

async function workerFault({ temporal: client, taskQueue }: ReadinessParts): Promise<string | null> {
  const { pollers } = await client.withDeadline(Date.now() + ANSWER_MS, () =>
    client.workflowService.describeTaskQueue({
      namespace: client.options.namespace,
      taskQueue: { name: taskQueue },
      taskQueueType: temporal.api.enums.v1.TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    }),
  );
  const newest = Math.max(
    0,
    ...(pollers ?? []).map((one) => Number(one.lastAccessTime?.seconds ?? 0) * 1000),
  );
  return Date.now() - newest < POLLED_WITHIN_MS ? null : `none polls the task queue ${taskQueue}`;
}
