/** Where notifications may go, and what of an address may be shown. */
import { EnvironmentError, readEnvironment } from '../../contracts/environment';
import {
  addressFault,
  connectionFault,
  shownTarget,
  targetFault,
  type TargetRules,
  targetVariables,
} from '../../contracts/notification-targets';
import {
  type NotificationVariables,
  notificationVariables,
  smtpSettings,
} from '../../workers/notification-settings';
import { z } from 'zod';

const rules: TargetRules = { allowedNetworks: [], slackHosts: ['hooks.slack.com'] };
const onPremise: TargetRules = { ...rules, allowedNetworks: ['10.1.0.0/16', 'fd00:1::/32'] };

it.each([
  '127.0.0.1',
  '127.8.8.8',
  '0.0.0.0',
  '10.0.0.1',
  '172.16.0.1',
  '192.168.1.1',
  '100.64.0.1',
  '169.254.169.254',
  '192.0.0.1',
  '192.0.2.1',
  '198.18.0.1',
  '224.0.0.1',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::7f00:1',
  '::ffff:127.0.0.1',
  '::ffff:a9fe:a9fe',
  '64:ff9b::7f00:1',
  '64:ff9b:1::1',
  '2002:7f00:1::',
  '2001:0:7f00:1::',
  '2001:db8::1',
  'fc00::1',
  'fd00:ec2::254',
  'fe80::1',
  'fe80::1%eth0',
  'fec0::1',
  'ff02::1',
  'example.com',
  '',
])('refuses to connect to %j', (address) => {
  expect(addressFault(address, rules)).not.toBeNull();
});

it.each(['1.1.1.1', '34.199.2.3', '::ffff:1.1.1.1', '2606:4700::1111'])('may connect to %s', (address) => {
  expect(addressFault(address, rules)).toBeNull();
});

it('may connect to the private networks that are named, and to no others', () => {
  expect(addressFault('10.1.2.3', onPremise)).toBeNull();
  expect(addressFault('::ffff:10.1.2.3', onPremise)).toBeNull();
  expect(addressFault('fd00:1::5', onPremise)).toBeNull();
  expect(addressFault('10.2.2.3', onPremise)).not.toBeNull();
  expect(addressFault('fd00:2::5', onPremise)).not.toBeNull();
});

it('speaks plain HTTP to named networks only', () => {
  const plain = new URL('http://hook.example.com/');
  expect(connectionFault(plain, '1.1.1.1', onPremise)).toContain('https://');
  expect(connectionFault(plain, '10.1.0.9', onPremise)).toBeNull();
  expect(connectionFault(new URL('https://hook.example.com/'), '1.1.1.1', onPremise)).toBeNull();
});

it.each<[Parameters<typeof targetFault>[0], string, RegExp]>([
  ['webhook', 'hook', /not an address/],
  ['webhook', 'ftp://example.com/', /https/],
  ['webhook', 'file:///etc/passwd', /https/],
  ['webhook', 'http://example.com/', /https/],
  ['webhook', 'https://user:pass@example.com/', /password/],
  ['webhook', 'https://example.com/#x', /fragment/],
  ['webhook', 'https://169.254.169.254/latest/meta-data', /public/],
  ['webhook', 'https://2130706433/', /127\.0\.0\.1/],
  ['webhook', 'https://0x7f.1/', /127\.0\.0\.1/],
  ['webhook', 'https://[::1]/', /::1/],
  ['webhook', 'https://[::ffff:10.0.0.1]/', /public/],
  ['slack', 'https://example.com/services/x', /hooks\.slack\.com/],
  ['slack', 'https://hooks.slack.com.evil.com/', /hooks\.slack\.com/],
  ['slack', 'https://hooks.slack.com@evil.com/', /password/],
  ['email', '', /mail addresses/],
  ['email', 'nobody', /not a mail address/],
  ['email', 'a@b.c\r\nBcc: x@y.z', /not a mail address/],
  ['email', 'a@b.c, "x" <y@z.w>', /not a mail address/],
  ['email', 'a@[127.0.0.1]', /not a mail address/],
  ['email', Array.from({ length: 21 }, (_, i) => `a${i}@b.c`).join(','), /20/],
])('refuses as a target of %s: %s', (kind, target, why) => {
  expect(targetFault(kind, target, rules)).toMatch(why);
});

it.each<[Parameters<typeof targetFault>[0], string]>([
  ['webhook', 'https://example.com:8443/hook?token=1'],
  ['slack', 'https://hooks.slack.com/services/T0/B0/abc'],
  ['email', 'ops@example.com, anna.müller+x@ünïcode.example'],
])('takes as a target of %s: %s', (kind, target) => {
  expect(targetFault(kind, target, rules)).toBeNull();
});

it('shows no path of a webhook, which is as good as its password', () => {
  expect(shownTarget('slack', 'https://hooks.slack.com/services/T0/B0/abc')).toBe(
    'https://hooks.slack.com/…',
  );
  expect(shownTarget('webhook', 'https://example.com/?key=1')).toBe('https://example.com/…');
  expect(shownTarget('webhook', 'https://example.com')).toBe('https://example.com');
  expect(shownTarget('email', 'a@b.c,d@e.f')).toBe('a@b.c, d@e.f');
});

describe('the environment', () => {
  const variables = (environment: NodeJS.ProcessEnv): NotificationVariables =>
    readEnvironment(z.object(notificationVariables), environment);

  it('needs nothing', () => {
    expect(variables({})).toMatchObject({
      NOTIFY_ALLOW_PRIVATE: [],
      NOTIFY_SLACK_HOSTS: ['hooks.slack.com', 'hooks.slack-gov.com'],
    });
    expect(smtpSettings(variables({}))).toBeNull();
  });

  it('takes networks in CIDR form only', () => {
    const read = (text: string) => readEnvironment(z.object(targetVariables), { NOTIFY_ALLOW_PRIVATE: text });
    expect(read('10.0.0.0/8, fd00::/8').NOTIFY_ALLOW_PRIVATE).toEqual(['10.0.0.0/8', 'fd00::/8']);
    expect(() => read('10.0.0.1')).toThrow(/NOTIFY_ALLOW_PRIVATE is not usable/);
  });

  it.each([
    [
      { SMTP_URL: 'smtp://u%40x:p%2F@mail.example.com' },
      { port: 587, tls: 'starttls', auth: { user: 'u@x', pass: 'p/' } },
    ],
    [{ SMTP_URL: 'smtps://mail.example.com' }, { port: 465, tls: 'implicit', auth: null }],
    [
      { SMTP_HOST: 'mail.example.com', SMTP_PORT: '2525' },
      { port: 2525, tls: 'starttls' },
    ],
    [
      { SMTP_HOST: 'mail.example.com', SMTP_TLS: 'off' },
      { port: 25, tls: 'off' },
    ],
    [
      { SMTP_URL: 'smtp://u:p@127.0.0.1:1025', SMTP_TLS: 'off' },
      { port: 1025, tls: 'off' },
    ],
  ])('reads a mail server from %j', (environment, expected) => {
    expect(smtpSettings(variables({ SMTP_FROM: 'a@b.c', ...environment }))).toMatchObject(expected);
  });

  it.each([
    [{ SMTP_URL: 'smtp://mail.example.com' }, /SMTP_FROM is not set/],
    [{ SMTP_FROM: 'a@b.c', SMTP_URL: 'smtp://x', SMTP_HOST: 'y' }, /both set/],
    [{ SMTP_FROM: 'a@b.c', SMTP_HOST: 'y', SMTP_USER: 'u' }, /name and a password/],
    [{ SMTP_FROM: 'a@b.c', SMTP_URL: 'smtp://u:p@mail.example.com', SMTP_TLS: 'off' }, /in the clear/],
    [{ SMTP_FROM: 'a@b.c', SMTP_HOST: 'y', SMTP_CA_FILE: '/nowhere' }, /SMTP_CA_FILE/],
    [{ SMTP_FROM: 'a@b.c\nBcc: d@e.f' }, /SMTP_FROM/],
    [{ SMTP_URL: 'http://x' }, /SMTP_URL/],
  ])('refuses %j', (environment, why) => {
    const read = () => smtpSettings(variables(environment));
    expect(read).toThrow(EnvironmentError);
    expect(read).toThrow(why);
  });
});
