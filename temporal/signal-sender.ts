/** Delivers signals from the outbox. */
import { type Client, isGrpcServiceError } from '@temporalio/client';
import { defaultPayloadConverter, toPayloads } from '@temporalio/common';
import type { DeliveryOutcome, SendSignal, StoredSignal } from '../contracts/outbox';

const NOT_FOUND = 5;

/** One attempt, the client's own retries included, takes no longer. */
const DEADLINE_MS = 5_000;

/**
 * A plain signal: signal-with-start would wake the deleted. The row's id is the request id, by which the server drops
 * a repeat within a run.
 */
export function signalSender(client: Client): SendSignal {
  return async function send({ id, workflowId, signal, payload }: StoredSignal): Promise<DeliveryOutcome> {
    try {
      await client.withDeadline(Date.now() + DEADLINE_MS, () =>
        client.workflowService.signalWorkflowExecution({
          namespace: client.options.namespace,
          identity: client.options.identity,
          requestId: `outbox:${id}`,
          workflowExecution: { workflowId },
          signalName: signal,
          input: { payloads: toPayloads(defaultPayloadConverter, payload) },
        }),
      );
      return { result: 'delivered' };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const code = isGrpcServiceError(error) ? Number(error.code) : null;
      // A namespace can be missing as well, and may come back; only a workflow's end is for good.
      const final = code === NOT_FOUND && /workflow/i.test(reason);
      return { result: final ? 'undeliverable' : 'failed', reason };
    }
  };
}
