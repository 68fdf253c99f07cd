/** Spot requests at EC2. */
import {
  CancelSpotInstanceRequestsCommand,
  DescribeSpotInstanceRequestsCommand,
  type DescribeSpotInstanceRequestsCommandInput,
  type SpotInstanceRequest,
} from '@aws-sdk/client-ec2';
import { ask, ec2Call } from './aws-calls';
import type { AwsClients } from './aws-clients';
import { inBatches } from './batching';
import { CloudError } from './cloud-error';
import { describeByIds, isOverUnknownId } from './described';
import { allPages } from './paging';
import type { CancelOutcome, SpotRequestDescription, SpotRequestPort } from './spot-request-port';

/** EC2's limit for the values of one filter. */
const FILTER_VALUES = 200;

export class AwsSpotRequests implements SpotRequestPort {
  readonly #clients: AwsClients;

  constructor(clients: AwsClients) {
    this.#clients = clients;
  }

  describe(spotRequestIds: readonly string[]) {
    return describeByIds(
      spotRequestIds,
      (SpotInstanceRequestIds) =>
        this.#describe({ SpotInstanceRequestIds }, `of ${SpotInstanceRequestIds.join(', ')}`),
      (one) => one.spotRequestId,
    );
  }

  async ofInstances(instanceIds: readonly string[]) {
    const found: SpotRequestDescription[] = [];
    for (let start = 0; start < instanceIds.length; start += FILTER_VALUES) {
      const Values = instanceIds.slice(start, start + FILTER_VALUES);
      const input = { Filters: [{ Name: 'instance-id', Values }], MaxResults: 1000 };
      found.push(...(await this.#describe(input, `of ${Values.join(', ')}`)));
    }
    return found;
  }

  async cancel(spotRequestIds: readonly string[]) {
    const { replies, refused } = await inBatches(
      spotRequestIds,
      (SpotInstanceRequestIds) =>
        ask(ec2Call('CancelSpotInstanceRequests', `of ${SpotInstanceRequestIds.join(', ')}`), () =>
          this.#clients.changes.send(new CancelSpotInstanceRequestsCommand({ SpotInstanceRequestIds })),
        ),
      (error, asked) =>
        isOverUnknownId(error, asked) || error.code === 'UnauthorizedOperation' ? 'sift' : 'refuse',
    );
    const outcomes = new Map<string, CancelOutcome>(
      replies
        .flatMap((reply) => reply.CancelledSpotInstanceRequests ?? [])
        .map(({ SpotInstanceRequestId, State }) => [
          SpotInstanceRequestId ?? '',
          { outcome: 'cancelled', state: State ?? 'cancelled' },
        ]),
    );
    for (const [id, error] of refused) {
      outcomes.set(
        id,
        isOverUnknownId(error, [id])
          ? { outcome: 'unknown', message: error.message }
          : { outcome: 'failed', error },
      );
    }
    for (const id of spotRequestIds) if (!outcomes.has(id)) outcomes.set(id, leftOut(id));
    return outcomes;
  }

  #describe(
    input: DescribeSpotInstanceRequestsCommandInput,
    object: string,
  ): Promise<SpotRequestDescription[]> {
    return allPages(
      'DescribeSpotInstanceRequests',
      (NextToken) =>
        ask(ec2Call('DescribeSpotInstanceRequests', object), async () => {
          const command = new DescribeSpotInstanceRequestsCommand({ ...input, NextToken });
          const reply = await this.#clients.looks.send(command);
          return { items: (reply.SpotInstanceRequests ?? []).map(description), nextToken: reply.NextToken };
        }),
      (one) => one.spotRequestId,
    );
  }
}

function leftOut(id: string): CancelOutcome {
  const message = `EC2 answered CancelSpotInstanceRequests of ${id} without naming it. The same is asked again.`;
  return {
    outcome: 'failed',
    error: new CloudError({ kind: 'retry', code: 'EmptyReply', ambiguous: true }, message),
  };
}

function description(request: SpotInstanceRequest): SpotRequestDescription {
  return {
    spotRequestId: request.SpotInstanceRequestId ?? '',
    state: (request.State ?? 'open') as SpotRequestDescription['state'],
    statusCode: request.Status?.Code ?? '',
    statusMessage: request.Status?.Message ?? '',
    statusUpdatedAt: request.Status?.UpdateTime?.toISOString() ?? null,
    instanceId: request.InstanceId ?? null,
    type: request.Type === 'persistent' ? 'persistent' : 'one-time',
    interruptionBehavior: request.InstanceInterruptionBehavior ?? 'terminate',
  };
}
