/** What a call of the control API is, and the checks that many share. */
import type { z } from 'zod';
import type { Instance } from '../books/entities';
import type { Cloud } from '../cloud';
import { isActive } from '../instances/lifecycle';
import type { IdentitySigner } from '../metadata/identity-signer';
import type { MetadataFaults } from '../metadata/metadata-faults';
import type { MetadataTokens } from '../metadata/metadata-tokens';
import type { Delays } from '../services/delays';
import type { Permissions } from '../services/permissions';
import type { Throttle } from '../services/throttle';
import type { CallLog } from './call-log';
import { ControlError } from './control-error';
import type { Faults } from './faults';

export interface ControlParts {
  readonly cloud: Cloud;
  readonly calls: CallLog;
  readonly faults: Faults;
  readonly delays: Delays;
  readonly throttle: Throttle;
  readonly permissions: Permissions;
  readonly metadataFaults: MetadataFaults;
  readonly metadataTokens: MetadataTokens;
  readonly signer: IdentitySigner;
}

export interface ControlRequest extends ControlParts {
  /** The id in the path, where the path has one. */
  readonly argument: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
  readonly gone: AbortSignal;
}

export interface Route {
  readonly method: 'GET' | 'POST';
  readonly path: RegExp;
  readonly run: (request: ControlRequest) => unknown;
}

/** @throws ControlError 400, a sentence that names the field. */
export function check<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ControlError(400, `The body is not usable: ${issue?.path.join('.') || 'it'}: ${issue?.message}.`);
}

export function numberIn(query: URLSearchParams, name: string, usual: number): number {
  const text = query.get(name);
  const number = text === null || text === '' ? usual : Number(text);
  if (!Number.isFinite(number) || number < 0) {
    throw new ControlError(400, `${name} is not usable: got "${text}"; it takes a number from 0.`);
  }
  return number;
}

export function findInstance({ cloud, argument }: ControlRequest): Instance {
  const instance = cloud.books.get('instance', argument);
  if (!instance) throw new ControlError(404, `There is no instance ${argument}.`);
  return instance;
}

export function activeInstance(request: ControlRequest): Instance {
  const instance = findInstance(request);
  if (!isActive(instance)) throw new ControlError(409, `${instance.id} is ${instance.state} already.`);
  return instance;
}
