/** One attempt to deliver, against real HTTP and SMTP servers: what arrives, what is refused, what an answer means. */
import { createHmac } from 'node:crypto';
import type { LookupAddress } from 'node:dns';
import { GiveUp, TryAgain } from '../../activities/notifications/delivery-errors';
import { guardedPost } from '../../activities/notifications/guarded-post';
import { sendMail, type SmtpSettings } from '../../activities/notifications/send-mail';
import { sendWebhook, type WebhookSettings } from '../../activities/notifications/send-webhook';
import type { ChannelKind, NotificationMessage } from '../../contracts/notifications';
import type { DueDelivery } from '../../db/notification-deliveries';
import { testCertificates } from '../harness/certificates';
import { hang, HttpReceiver, MailReceiver, status } from '../harness/receivers';
import { until } from '../harness/until';

const certificates = testCertificates();
const never = new AbortController().signal;
let http: HttpReceiver;
let https: HttpReceiver;
let settings: WebhookSettings;

beforeAll(async () => {
  http = await HttpReceiver.start();
  https = await HttpReceiver.start(certificates);
  settings = {
    rules: { allowedNetworks: ['127.0.0.0/8'], slackHosts: ['127.0.0.1'] },
    timeoutMs: 5_000,
  };
});
afterAll(() => {
  http.close();
  https.close();
});

const message: NotificationMessage = {
  kind: 'events',
  severity: 'warning',
  title: '2 agents are orphaned in us-east-1a',
  clientId: 'c1',
  createdAt: '2026-03-01T12:00:00.000Z',
  groups: [
    {
      notificationId: '77',
      eventType: 'agent_orphaned',
      severity: 'warning',
      zone: 'us-east-1a',
      region: 'us-east-1',
      headline: '2 agents are orphaned in us-east-1a',
      update: false,
      events: 2,
      eventsInAll: 2,
      since: '2026-03-01T12:00:00.000Z',
      subjects: [],
      moreSubjects: 2,
      systemDoes: null,
      personCan: null,
    },
  ],
  more: { groups: 0, events: 0 },
  links: [],
};

function due(kind: ChannelKind, target: string, changes: Partial<NotificationMessage> = {}): DueDelivery {
  const secret = kind === 'webhook' ? 'skw_secret' : null;
  return {
    deliveryId: '6f0f4f7c-0000-4000-8000-000000000001',
    status: 'pending',
    message: { ...message, ...changes },
    deliverable: true,
    channel: { id: 'channel', kind, name: 'ops', target, secret },
  };
}

const failure = (work: Promise<unknown>): Promise<Error> =>
  work.then(
    (value) => {
      throw new Error(`It should have failed, and returned ${String(value)}.`);
    },
    (error: Error) => error,
  );

describe('a webhook', () => {
  it('arrives signed over its body and time, under the delivery’s id', async () => {
    expect(await sendWebhook(due('webhook', `${http.origin}/signed`), settings, never)).toBe(200);
    const [post] = http.to('/signed');
    const [, at, digest] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(post!.headers['spotkeeper-signature']))!;
    expect(createHmac('sha256', 'skw_secret').update(`${at}.${post!.body}`).digest('hex')).toBe(digest);
    expect(Math.abs(Number(at) - Date.now() / 1000)).toBeLessThan(60);
    expect(JSON.parse(post!.body)).toMatchObject({ id: due('webhook', '').deliveryId, title: message.title });
    expect(post!.headers).toMatchObject({
      'idempotency-key': due('webhook', '').deliveryId,
      'spotkeeper-delivery': due('webhook', '').deliveryId,
      'content-type': 'application/json',
    });
  });

  it.each([
    [500, undefined],
    [503, undefined],
    [408, undefined],
    [429, '17'],
  ])('is tried again after %i', async (code, retryAfter) => {
    const path = `/again-${code}`;
    http.answerNext(path, status(code, retryAfter ? { 'retry-after': retryAfter } : {}));
    const error = await failure(sendWebhook(due('webhook', http.origin + path), settings, never));
    expect(error).toBeInstanceOf(TryAgain);
    expect(error).toMatchObject({
      more: { responseStatus: code, ...(retryAfter && { afterSeconds: Number(retryAfter) }) },
    });
    expect(error.message).not.toContain('the answer');
  });

  it.each([400, 401, 403, 404, 410, 301, 302, 307])('is given up after %i', async (code) => {
    const path = `/final-${code}`;
    http.answerNext(path, status(code, { location: `${http.origin}/elsewhere` }));
    const error = await failure(sendWebhook(due('webhook', http.origin + path), settings, never));
    expect(error).toBeInstanceOf(GiveUp);
    expect(error.message).toContain(String(code));
    expect(http.to('/elsewhere')).toEqual([]); // No redirect is followed.
  });

  it('waits for an answer so long and no longer', async () => {
    http.answerNext('/hangs', hang);
    const error = await failure(
      sendWebhook(due('webhook', `${http.origin}/hangs`), { ...settings, timeoutMs: 200 }, never),
    );
    expect(error).toBeInstanceOf(TryAgain);
    expect(error.message).toContain('no answer within 0.2 s');
    await until('its connection is closed', async () => http.connections === 0, 3_000);
  });

  it('has arrived once its status says so, though the body never ends', async () => {
    http.answerNext('/drips', (response) => response.writeHead(200).write('x'));
    const quick = { ...settings, timeoutMs: 200 };
    expect(await sendWebhook(due('webhook', `${http.origin}/drips`), quick, never)).toBe(200);
  });

  it('reads no more of an answer than it must', async () => {
    let written = 0;
    http.answerNext('/floods', (response) => {
      response.writeHead(200);
      const flood = () => {
        while (!response.destroyed && response.write('x'.repeat(16_384))) written += 16_384;
      };
      response.on('drain', flood);
      response.on('error', () => undefined);
      flood();
    });
    expect(await sendWebhook(due('webhook', `${http.origin}/floods`), settings, never)).toBe(200);
    expect(written).toBeLessThan(50_000_000);
    await until('its connection is closed', async () => http.connections === 0, 3_000);
  });

  it('is broken off when its activity is cancelled', async () => {
    http.answerNext('/cancelled', hang);
    const abort = new AbortController();
    const sending = failure(sendWebhook(due('webhook', `${http.origin}/cancelled`), settings, abort.signal));
    await http.arrived('/cancelled', 1);
    abort.abort();
    expect(await sending).not.toBeInstanceOf(TryAgain);
  });

  it('isn’t sent to a server with a certificate that nobody vouches for', async () => {
    const error = await failure(sendWebhook(due('webhook', `${https.origin}/tls`), settings, never));
    expect(error).toBeInstanceOf(TryAgain);
    expect(error.message).toContain('certificate');
    expect(https.posts).toEqual([]);
  });

  it('says that nobody listens, without saying where', async () => {
    const nobody = await HttpReceiver.start();
    nobody.close();
    const error = await failure(sendWebhook(due('webhook', `${nobody.origin}/`), settings, never));
    expect(error).toBeInstanceOf(TryAgain);
    expect(error.message).toContain('the connection was refused');
  });
});

describe('an address inside the network', () => {
  const strict = { allowedNetworks: [] as string[], slackHosts: ['hooks.slack.com'] };
  const at = (address: string): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 });

  it.each(['https://127.0.0.1/', 'https://169.254.169.254/latest/meta-data', 'https://[::1]/'])(
    'is refused when a stored channel names it: %s',
    async (url) => {
      const error = await failure(sendWebhook(due('webhook', url), { ...settings, rules: strict }, never));
      expect(error).toBeInstanceOf(GiveUp);
    },
  );

  it.each([
    ['the metadata service', ['169.254.169.254']],
    ['itself', ['::1']],
    ['a public and a private address', ['1.1.1.1', '10.0.0.1']],
    ['a private address in a public one’s clothes', ['::ffff:192.168.0.1']],
  ])('is refused when a name leads to %s, and the tenant doesn’t learn the address', async (_, addresses) => {
    const post = guardedPost({
      url: new URL('https://hook.example.com/x'),
      headers: {},
      body: '',
      rules: strict,
      timeoutMs: 5_000,
      resolve: async () => addresses.map(at),
    });
    const error = await failure(post);
    expect(error).toBeInstanceOf(GiveUp);
    for (const address of addresses) expect(error.message).not.toContain(address);
  });

  it('is not reached by a name that leads elsewhere a moment later', async () => {
    const answers = [['127.0.0.1'], ['127.0.0.2'], ['169.254.169.254']];
    let asked = 0;
    const url = new URL(http.origin);
    url.hostname = 'rebinding.example.com';
    url.pathname = '/rebound';
    const answer = await guardedPost({
      url,
      headers: {},
      body: 'x',
      rules: settings.rules,
      timeoutMs: 5_000,
      resolve: async () => answers[asked++]!.map(at),
    });
    // Asked once, and connected to what was checked.
    expect([answer.status, asked]).toEqual([200, 1]);
    expect(http.to('/rebound')[0]!.headers.host).toBe(url.host);
  });

  it('is not spoken to in plain HTTP by a public name', async () => {
    const error = await failure(
      guardedPost({
        url: new URL('http://hook.example.com/'),
        headers: {},
        body: '',
        rules: settings.rules,
        timeoutMs: 1_000,
        resolve: async () => [at('1.1.1.1')],
      }),
    );
    expect(error).toBeInstanceOf(GiveUp);
    expect(error.message).toContain('plain HTTP');
  });

  it('is reached through no proxy', async () => {
    process.env['HTTP_PROXY'] = process.env['http_proxy'] = 'http://127.0.0.1:9';
    try {
      expect(await sendWebhook(due('webhook', `${http.origin}/direct`), settings, never)).toBe(200);
    } finally {
      delete process.env['HTTP_PROXY'];
      delete process.env['http_proxy'];
    }
  });
});

it('sends Slack what it takes, and nothing to another host', async () => {
  expect(await sendWebhook(due('slack', `${http.origin}/services/T/B/x`), settings, never)).toBe(200);
  const body = JSON.parse(http.to('/services/T/B/x')[0]!.body) as { text: string; blocks: unknown[] };
  expect(body.text).toContain(message.title);
  expect(body.blocks.length).toBeGreaterThan(0);
  const elsewhere = { ...settings, rules: { ...settings.rules, slackHosts: ['hooks.slack.com'] } };
  const error = await failure(sendWebhook(due('slack', `${http.origin}/services/T/B/x`), elsewhere, never));
  expect(error).toBeInstanceOf(GiveUp);
});

describe('mail', () => {
  let tls: MailReceiver;
  let plain: MailReceiver;
  let smtp: SmtpSettings;

  beforeAll(async () => {
    tls = await MailReceiver.start({ key: certificates.key, cert: certificates.cert, authOptional: false });
    plain = await MailReceiver.start({ hideSTARTTLS: true, disabledCommands: ['STARTTLS'] });
    smtp = {
      host: '127.0.0.1',
      port: tls.port,
      tls: 'starttls',
      auth: { user: 'spotkeeper', pass: 'correct' },
      from: 'Spotkeeper <alerts@example.com>',
      certificateAuthority: certificates.authority,
      timeoutMs: 5_000,
    };
  });
  afterAll(() => Promise.all([tls.close(), plain.close()]));

  const mail = (
    changes: Partial<SmtpSettings> = {},
    delivery = due('email', 'ops@example.com, dev@example.com'),
  ) => sendMail(delivery, { ...smtp, ...changes }, settings.rules, never);

  it('goes over STARTTLS with a login, to all addresses, in a thread with its group', async () => {
    expect(await mail()).toBeNull();
    const [sent] = tls.mails.slice(-1);
    expect(sent).toMatchObject({
      from: 'alerts@example.com',
      to: ['ops@example.com', 'dev@example.com'],
      secure: true,
      user: 'spotkeeper',
    });
    const headers = sent!.text.split('\r\n\r\n')[0]!;
    expect(headers).toMatch(/^Subject: \[spotkeeper\] warning: 2 agents are orphaned in us-east-1a$/m);
    expect(headers).toMatch(/^Auto-Submitted: auto-generated$/m);
    expect(headers).toMatch(/^Message-ID: <6f0f4f7c-0000-4000-8000-000000000001@example\.com>$/im);
    expect(headers).toMatch(/^References: <notification\.77@example\.com>$/m);
    expect(headers).toMatch(/^In-Reply-To: <notification\.77@example\.com>$/m);
    expect(headers).toMatch(/^Content-Type: text\/plain; charset=utf-8$/m);
  });

  it('lets no title add a header or a recipient', async () => {
    const title = 'x\r\nBcc: evil@example.com\r\n\r\nbody';
    await mail({}, due('email', 'ops@example.com', { title }));
    const [sent] = tls.mails.slice(-1);
    expect(sent!.to).toEqual(['ops@example.com']);
    expect(sent!.text.split('\r\n\r\n')[0]).not.toMatch(/^Bcc:/m);
    const error = await failure(mail({}, due('email', 'ops@example.com\r\nRCPT TO:<evil@example.com>')));
    expect(error).toBeInstanceOf(GiveUp);
  });

  it('isn’t sent, nor the password said, without the TLS that was asked for', async () => {
    const before = plain.mails.length;
    const error = await failure(mail({ port: plain.port }));
    expect(error).toBeInstanceOf(TryAgain);
    expect(plain.mails).toHaveLength(before);
    expect(await mail({ port: plain.port, tls: 'off', auth: null })).toBeNull();
    expect(plain.mails.slice(-1)).toMatchObject([{ secure: false }]);
  });

  it('isn’t sent to a server that nobody vouches for', async () => {
    const error = await failure(mail({ certificateAuthority: null }));
    expect(error).toBeInstanceOf(TryAgain);
  });

  it.each([
    [421, TryAgain],
    [451, TryAgain],
    [550, GiveUp],
    [554, GiveUp],
  ])('takes %i as %p', async (code, kind) => {
    tls.refusals.push(code);
    const error = await failure(mail());
    expect(error).toBeInstanceOf(kind);
    expect(error.message).not.toContain('internal words');
  });

  it('is tried again when the login is refused or nobody listens', async () => {
    expect(await failure(mail({ auth: { user: 'spotkeeper', pass: 'wrong' } }))).toBeInstanceOf(TryAgain);
    expect(await failure(mail({ port: 9 }))).toBeInstanceOf(TryAgain);
  });

  it('is given up where there is no mail server', async () => {
    const error = await failure(sendMail(due('email', 'a@b.c'), null, settings.rules, never));
    expect(error).toBeInstanceOf(GiveUp);
    expect(error.message).toContain('SMTP_URL');
  });
});
