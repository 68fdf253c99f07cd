/** Every call of EC2, STS and Pricing as it arrived, and what became of it. */
import type { ServiceName } from '../books/settings';
import { Log } from './event-log';

export interface Call {
  readonly kind: 'call';
  readonly service: ServiceName;
  readonly action: string;
  readonly region: string | null;
  readonly access_key_id: string | null;
  /** Of the caller, once it is known. */
  readonly principal?: string;
  /** As sent: flat names of the query protocol. */
  readonly params: Readonly<Record<string, string>>;
  readonly client_token: string | null;
  readonly request_id: string;
  /** `pending`, `ok`, an error code, or what a fault made of it: `hung`, `dropped`, `abandoned`. */
  readonly outcome: string;
  readonly [field: string]: unknown;
}

export class CallLog extends Log<Call> {}
