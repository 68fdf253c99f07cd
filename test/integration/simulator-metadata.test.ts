/** The simulated metadata service: session tokens, signed identity, notices, and its faults. */
import { createPublicKey, createVerify, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { EC2Client, RunInstancesCommand } from '@aws-sdk/client-ec2';
import type { RunInstancesCommandInput } from '@aws-sdk/client-ec2';
import forge from 'node-forge';
import { type Simulator, startSimulator } from '../harness/simulator';
import { control, type InstanceView, metadata, metadataToken } from './simulator-control';

let simulator: Simulator;
let ec2: EC2Client;

beforeAll(async () => {
  simulator = await startSimulator(
    ...['--boot', 'none', '--paused-clock', '--synthetic', '3', '--boot-seconds', '0'],
    ...['--region', 'us-east-1'],
  );
  ec2 = new EC2Client({
    region: 'us-east-1',
    endpoint: simulator.ready.cloudUrl,
    credentials: { accessKeyId: 'AKIDTEST', secretAccessKey: 'secret' },
    maxAttempts: 1,
  });
  await control(simulator, '/pools/give-back', {});
});
afterAll(async () => {
  ec2?.destroy();
  await simulator?.stop();
});
afterEach(() => control(simulator, '/metadata/faults/clear', {}));

async function launch(changes: Partial<RunInstancesCommandInput> = {}): Promise<string> {
  const { Instances } = await ec2.send(
    new RunInstancesCommand({
      ImageId: simulator.ready.imageId,
      InstanceType: 'g5.xlarge',
      MinCount: 1,
      MaxCount: 1,
      InstanceMarketOptions: { MarketType: 'spot' },
      ...changes,
    }),
  );
  return Instances?.[0]?.InstanceId as string;
}
const endpointOf = (id: string) => `${simulator.ready.imdsUrl}/${id}`;
const read = async (id: string, document: string, token?: string) =>
  metadata(endpointOf(id), document, token);
const statusOf = async (id: string, document: string, token?: string) =>
  (await read(id, document, token)).status;
const advance = (seconds: number) => control(simulator, '/clock/advance', { seconds });

describe('session tokens', () => {
  test('are asked for: without one, or with another instance’s, there is 401', async () => {
    const [id, other] = [await launch(), await launch()];
    const token = await metadataToken(endpointOf(id));
    const bare = await fetch(`${endpointOf(id)}/latest/meta-data/instance-id`);
    expect(bare.status).toBe(401);
    expect(await read(id, 'meta-data/instance-id', token)).toEqual({ status: 200, text: id });
    expect(await statusOf(other, 'meta-data/instance-id', token)).toBe(401);
    expect(await statusOf(id, 'meta-data/instance-id', `${token}x`)).toBe(401);
  });

  test('run out after their time to live, which every answer tells', async () => {
    const id = await launch();
    const token = await metadataToken(endpointOf(id), '60');
    const answer = await fetch(`${endpointOf(id)}/latest/meta-data/`, {
      headers: { 'x-aws-ec2-metadata-token': token },
    });
    expect(answer.headers.get('x-aws-ec2-metadata-token-ttl-seconds')).toBe('60');
    await advance(59);
    expect(await statusOf(id, 'meta-data/', token)).toBe(200);
    await advance(1);
    expect(await statusOf(id, 'meta-data/', token)).toBe(401);
    for (const ttl of ['0', '21601', '1.5', 'x']) {
      await expect(metadataToken(endpointOf(id), ttl)).rejects.toThrow('400');
    }
  });

  test('can be made invalid, and hold over a kill', async () => {
    const [id, other] = [await launch(), await launch()];
    const [token, kept] = [await metadataToken(endpointOf(id)), await metadataToken(endpointOf(other))];
    await control(simulator, '/metadata/invalidate-tokens', { instance_id: id });
    expect(await statusOf(id, 'meta-data/', token)).toBe(401);
    const fresh = await metadataToken(endpointOf(id));
    await simulator.restart();
    expect(await statusOf(id, 'meta-data/', token)).toBe(401);
    expect(await statusOf(id, 'meta-data/', fresh)).toBe(200);
    expect(await statusOf(other, 'meta-data/', kept)).toBe(200);
  });
});

describe('the identity document', () => {
  const certificateOf = async () =>
    (await control<{ certificate: string }>(simulator, '/identity-certificate')).certificate;

  test('verifies with the certificate of this cloud, and not when it was changed', async () => {
    const id = await launch();
    const certificate = new X509Certificate(await certificateOf());
    const { text: document } = await read(id, 'dynamic/instance-identity/document');
    const { text: signature } = await read(id, 'dynamic/instance-identity/signature');
    expect(JSON.parse(document)).toMatchObject({
      accountId: '000000000000',
      instanceId: id,
      region: 'us-east-1',
      instanceType: 'g5.xlarge',
      imageId: simulator.ready.imageId,
    });
    const verify = (text: string) =>
      createVerify('RSA-SHA256').update(text).verify(certificate.publicKey, signature, 'base64');
    expect(verify(document)).toBe(true);
    expect(verify(document.replace(id, 'i-0123456789abcdef0'))).toBe(false);
  });

  test.each(['pkcs7', 'rsa2048'])('is signed in %s, with the document inside', async (name) => {
    const id = await launch();
    const { text: document } = await read(id, 'dynamic/instance-identity/document');
    const { text } = await read(id, `dynamic/instance-identity/${name}`);
    expect(text.split('\n').every((line) => /^[A-Za-z0-9+/=]{1,64}$/.test(line))).toBe(true);
    const message = forge.pkcs7.messageFromPem(`-----BEGIN PKCS7-----\n${text}\n-----END PKCS7-----`) as {
      rawCapture: {
        content: forge.asn1.Asn1;
        signature: string;
        authenticatedAttributes: forge.asn1.Asn1[];
      };
      certificates: unknown[];
    };
    expect(message.certificates).toEqual([]);
    const { content, signature, authenticatedAttributes: attributes } = message.rawCapture;
    const [inner] = (content.value as forge.asn1.Asn1[]) ?? [];
    expect(forge.util.decodeUtf8(inner?.value as string)).toBe(document);
    const { Type, Class } = forge.asn1;
    const signed = forge.asn1.toDer(forge.asn1.create(Class.UNIVERSAL, Type.SET, true, attributes));
    const verified = createVerify('RSA-SHA256')
      .update(Buffer.from(signed.getBytes(), 'latin1'))
      .verify(createPublicKey(await certificateOf()), Buffer.from(signature, 'latin1'));
    expect(verified).toBe(true);
    const digest = forge.md.sha256.create().update(document, 'utf8').digest().getBytes();
    expect(forge.asn1.toDer(attributes[1] as forge.asn1.Asn1).getBytes()).toContain(digest);
  });

  test('is signed with one key for the life of the cloud', async () => {
    const before = await certificateOf();
    await simulator.restart();
    expect(await certificateOf()).toBe(before);
    const home = (await control<InstanceView[]>(simulator, '/instances'))[0]?.agent_home as string;
    const folder = home.slice(0, home.indexOf(`${path.sep}instances${path.sep}`));
    expect(existsSync(folder)).toBe(true);
    expect(readFileSync(path.join(folder, 'identity-certificate.pem'), 'utf8')).toBe(before);
  });
});

describe('notices', () => {
  test('are nothing until there is one, then tell what and when', async () => {
    const id = await launch();
    for (const document of [
      'spot/instance-action',
      'spot/termination-time',
      'events/recommendations/rebalance',
    ]) {
      expect(await statusOf(id, `meta-data/${document}`)).toBe(404);
    }
    await control(simulator, `/instances/${id}/rebalance`, {});
    expect(JSON.parse((await read(id, 'meta-data/events/recommendations/rebalance')).text)).toEqual({
      noticeTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    });
    const { notice } = await control<InstanceView>(simulator, `/instances/${id}/notice`, {});
    const time = `${notice?.time.slice(0, 19)}Z`;
    expect(JSON.parse((await read(id, 'meta-data/spot/instance-action')).text)).toEqual({
      action: 'terminate',
      time,
    });
    expect((await read(id, 'meta-data/spot/termination-time')).text).toBe(time);
  });
});

test('the tree says what the machine is', async () => {
  const id = await launch({ UserData: Buffer.from('é\u0000\u00ff').toString('base64') });
  const text = async (document: string) => (await read(id, `meta-data/${document}`)).text;
  expect(await text('instance-life-cycle')).toBe('spot');
  expect(await text('placement/availability-zone')).toBe('us-east-1a');
  expect(await text('placement/availability-zone-id')).toBe('use1-az1');
  expect(await text('block-device-mapping/')).toContain('root');
  expect(await text('block-device-mapping/root')).toMatch(/^\/dev\//);
  const mac = await text('mac');
  expect(await text(`network/interfaces/macs/${mac}/local-ipv4s`)).toBe(await text('local-ipv4'));
  expect(await statusOf(id, 'meta-data/tags/instance')).toBe(404);
  expect(await statusOf(id, 'meta-data/iam/info')).toBe(404);
  expect((await read(id, 'user-data')).text).toBe('é\u0000\u00ff');
});

describe('faults', () => {
  test('are of the next requests, or of a path until cleared, and hold over a kill', async () => {
    const id = await launch();
    await control(simulator, '/metadata/faults', { count: 2, path: '/latest/meta-data' });
    const token = await metadataToken(endpointOf(id));
    expect(await statusOf(id, 'meta-data/mac', token)).toBe(503);
    await simulator.restart();
    expect(await statusOf(id, 'user-data', token)).toBe(404);
    expect(await statusOf(id, 'meta-data/mac', token)).toBe(503);
    expect(await statusOf(id, 'meta-data/mac', token)).toBe(200);

    await control(simulator, '/metadata/faults', { path: '/latest/meta-data/spot', status: 500 });
    for (let time = 0; time < 3; time++) {
      expect(await statusOf(id, 'meta-data/spot/instance-action', token)).toBe(500);
    }
    expect(await statusOf(id, 'meta-data/mac', token)).toBe(200);
    await control(simulator, '/metadata/faults/clear', {});
    expect(await statusOf(id, 'meta-data/spot/instance-action', token)).toBe(404);
  });

  test('of one instance leave the others alone; hung requests go on when released, dropped ones are cut', async () => {
    const [id, other] = [await launch(), await launch()];
    const token = await metadataToken(endpointOf(id));
    await control(simulator, '/metadata/faults', { kind: 'hang', count: 1, instance_id: id });
    const hanging = statusOf(id, 'meta-data/mac', token);
    expect(await statusOf(other, 'meta-data/mac')).toBe(200);
    while ((await control<{ held: number }>(simulator, '/faults')).held === 0);
    expect(await control(simulator, '/faults/release', {})).toEqual({ released: 1 });
    expect(await hanging).toBe(200);
    await control(simulator, '/metadata/faults', { kind: 'drop', count: 1, instance_id: id });
    await expect(statusOf(id, 'meta-data/mac', token)).rejects.toThrow();
    expect(await statusOf(id, 'meta-data/mac', token)).toBe(200);
  });

  test('a slow network keeps its answers', async () => {
    const id = await launch();
    const token = await metadataToken(endpointOf(id));
    await control(simulator, '/delays', { service: 'imds', action: '/latest/meta-data', after_seconds: 0.2 });
    const start = performance.now();
    await statusOf(id, 'meta-data/mac', token);
    expect(performance.now() - start).toBeGreaterThan(195);
    await control(simulator, '/delays/clear', {});
  });
});
