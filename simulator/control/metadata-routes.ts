/** The metadata service's faults and tokens, and what its identity documents are signed with. */
import { z } from 'zod';
import type { MetadataFault } from '../books/settings';
import { ControlError } from './control-error';
import { check } from './route';
import type { Route } from './route';

const faultSchema = z.strictObject({
  kind: z.enum(['error', 'hang', 'drop']).default('error'),
  status: z.number().int().min(400).max(599).default(503),
  /** Null: until it is cleared. */
  count: z.number().int().min(1).max(1_000_000).nullable().default(null),
  path: z.string().startsWith('/').default('/'),
  instance_id: z.string().nullable().default(null),
});
const tokensSchema = z.strictObject({ instance_id: z.string().nullable().default(null) });

export const METADATA_ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: /^\/metadata\/faults$/,
    run: ({ metadataFaults }) => metadataFaults.list().map(describeFault),
  },
  {
    method: 'POST',
    path: /^\/metadata\/faults$/,
    run: ({ metadataFaults, body }) => {
      const { kind, status, count, path, instance_id } = check(faultSchema, body);
      return describeFault(
        metadataFaults.add({ mode: kind, status, path, instanceId: instance_id, left: count }),
      );
    },
  },
  {
    method: 'POST',
    path: /^\/metadata\/faults\/clear$/,
    run: ({ metadataFaults }) => {
      metadataFaults.clear();
      return { released: metadataFaults.release() };
    },
  },
  {
    method: 'POST',
    path: /^\/metadata\/invalidate-tokens$/,
    run: ({ cloud, metadataTokens, body }) => {
      const { instance_id } = check(tokensSchema, body);
      if (instance_id !== null && !cloud.books.get('instance', instance_id)) {
        throw new ControlError(404, `There is no instance ${instance_id}.`);
      }
      const ids = instance_id === null ? cloud.books.all('instance').map(({ id }) => id) : [instance_id];
      metadataTokens.invalidate(ids);
      return { instances: ids.length };
    },
  },
  {
    method: 'GET',
    path: /^\/identity-certificate$/,
    run: ({ signer }) => ({ certificate: signer.certificate }),
  },
];

function describeFault({ id, mode, status, path, instanceId, left }: MetadataFault) {
  return {
    id,
    kind: mode,
    ...(mode === 'error' && { status }),
    path,
    instance_id: instanceId,
    left,
  };
}
