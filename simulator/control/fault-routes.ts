/** Faults of the services' calls. */
import { z } from 'zod';
import { FAULT_MODES } from '../books/settings';
import { check } from './route';
import type { Route } from './route';

const faultSchema = z.strictObject({
  action: z.string().min(1),
  kind: z.string().min(1),
  count: z.number().int().min(1).max(1_000_000).default(1),
  message: z.string().default('A fault was asked for by the control API.'),
  /** Of `error-after`; of a refusal the kind is the code. */
  code: z.string().min(1).optional(),
  status: z.number().int().min(400).max(599).nullable().default(null),
  match: z.record(z.string(), z.string()).default({}),
});

export const FAULT_ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: /^\/faults$/,
    run: ({ faults, metadataFaults }) => ({
      faults: faults.list(),
      held: faults.held + metadataFaults.held,
    }),
  },
  {
    method: 'POST',
    path: /^\/faults$/,
    run: ({ faults, body }) => {
      const { count, kind, code, ...fault } = check(faultSchema, body);
      const mode = FAULT_MODES.find((known) => known === kind) ?? 'error';
      const usual = mode === 'error' ? kind : fault.status === 500 ? 'InternalError' : 'Unavailable';
      return faults.add({ ...fault, mode, code: code ?? usual }, count);
    },
  },
  {
    method: 'POST',
    path: /^\/faults\/clear$/,
    run: ({ faults }) => {
      faults.clear();
      return { faults: [] };
    },
  },
  {
    method: 'POST',
    path: /^\/faults\/release$/,
    run: ({ faults, metadataFaults }) => ({ released: faults.release() + metadataFaults.release() }),
  },
];
