/** EC2's real SDK, which also tells when the last byte of an answer had come: reading it is the client's own time. */
import { EC2Client } from '@aws-sdk/client-ec2';
import { performance } from 'node:perf_hooks';
import { buffer } from 'node:stream/consumers';
import type { Readable } from 'node:stream';

export interface TimedEc2 {
  client: EC2Client;
  /** When the latest answer was there, by `performance.now()`. Of use where one call is made at a time. */
  answeredAt(): number;
}

/** Of an endpoint that takes any credentials. Every call is tried once, so that a failure is seen. */
export function timedEc2(endpoint: string, region: string): TimedEc2 {
  const client = new EC2Client({
    endpoint,
    region,
    credentials: { accessKeyId: 'AKIDBENCH', secretAccessKey: 'bench' },
    maxAttempts: 1,
  });
  let answeredAt = 0;
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const response = result.response as { body: Readable | Buffer };
      response.body = await buffer(response.body as Readable);
      answeredAt = performance.now();
      return result;
    },
    { step: 'deserialize', priority: 'low', name: 'answeredAt' },
  );
  return { client, answeredAt: () => answeredAt };
}
