/** Whether the EC2 steps of each account and region that agents are in have a worker. */
import type { Client } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import { ec2TaskQueue } from '../../contracts/ids';
import type { FleetFigures } from '../../db/fleet-figures';

export interface AccountWorkers {
  accountId: string;
  region: string;
  pollers: number;
}

const MOST_QUEUES = 50;
const ANSWER_MS = 2_000;
/** A worker's poll waits for up to a minute, and the server remembers pollers for longer than they live. */
const POLLED_WITHIN_MS = 75_000;

export class AccountWorkersWatch {
  readonly #temporal: Client;
  readonly #againAfterMs: number;
  #known: AccountWorkers[] = [];
  #askedAtMs = -Infinity;

  constructor(client: Client, againAfterMs: number) {
    this.#temporal = client;
    this.#againAfterMs = againAfterMs;
  }

  /** Of the largest places. Empty while Temporal doesn't answer: that says nothing about workers. */
  async look(places: FleetFigures['places']): Promise<AccountWorkers[]> {
    if (performance.now() - this.#askedAtMs < this.#againAfterMs) return this.#known;
    const wanted = places
      // Whoever never registered may be in an account that nobody named.
      .filter(({ accountId, region }) => accountId !== 'unknown' && region !== 'unknown')
      .sort((one, other) => other.agents - one.agents)
      .slice(0, MOST_QUEUES);
    try {
      this.#known = await Promise.all(
        wanted.map(async ({ accountId, region }) => ({
          accountId,
          region,
          pollers: await this.#pollersOf(ec2TaskQueue(accountId, region)),
        })),
      );
    } catch {
      this.#known = []; // /ready says that Temporal is not there.
    }
    this.#askedAtMs = performance.now();
    return this.#known;
  }

  async #pollersOf(name: string): Promise<number> {
    const client = this.#temporal;
    const { pollers } = await client.withDeadline(Date.now() + ANSWER_MS, () =>
      client.workflowService.describeTaskQueue({
        namespace: client.options.namespace,
        taskQueue: { name },
        taskQueueType: temporal.api.enums.v1.TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
      }),
    );
    const lately = (pollers ?? []).filter(
      (one) => Date.now() - Number(one.lastAccessTime?.seconds ?? 0) * 1000 < POLLED_WITHIN_MS,
    );
    return new Set(lately.map((one) => one.identity)).size;
  }
}
