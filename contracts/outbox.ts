/** Signals on their way to workflows: kept in Postgres by whoever has news, delivered by whoever is alive. */

export interface OutboxSignal {
  workflowId: string;
  signal: string;
  /** The signal's one argument. */
  payload: Record<string, unknown>;
}

/** A stored signal; `id` orders the signals of one workflow. */
export interface StoredSignal extends OutboxSignal {
  id: string;
}

/** What became of one attempt to deliver. */
export type DeliveryOutcome =
  | { result: 'delivered' }
  /** No later attempt can help: the workflow does not exist or has ended, or the server refuses the message. */
  | { result: 'undeliverable'; reason: string }
  /** Later it may work. */
  | { result: 'failed'; reason: string };

export type SendSignal = (signal: StoredSignal) => Promise<DeliveryOutcome>;
