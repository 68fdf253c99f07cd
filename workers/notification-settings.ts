/** The environment of those workers' part that tells people what happened. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { NotificationDependencies } from '../activities/notifications/notification-activities';
import type { SmtpSettings } from '../activities/notifications/send-mail';
import { EnvironmentError, wholeNumber } from '../contracts/environment';
import { targetRules, targetVariables } from '../contracts/notification-targets';

export const notificationVariables = {
  ...targetVariables,
  NOTIFY_RELAY_MS: wholeNumber(50, 60_000)
    .default(1_000)
    .describe('milliseconds between two looks at events that wait to be told, from 50 to 60000'),
  SMTP_URL: z
    .string()
    .regex(/^smtps?:\/\/\S+$/)
    .optional()
    .describe('a mail server, such as smtp://user:password@mail.example.com:587 or smtps://…'),
  SMTP_HOST: z
    .string()
    .regex(/^[\w.:-]+$/)
    .optional()
    .describe('the host of a mail server, where SMTP_URL is not used'),
  SMTP_PORT: wholeNumber(1, 65_535)
    .optional()
    .describe('the port of the mail server (default 587, with SMTP_TLS=implicit 465, with off 25)'),
  SMTP_USER: z.string().min(1).optional().describe('the name to log in to the mail server with'),
  SMTP_PASSWORD: z.string().min(1).optional().describe('the password to log in to the mail server with'),
  SMTP_FROM: z
    .string()
    .regex(/^(?:[^<>\p{Cc}]{0,100}<[^\s@<>\p{Cc}]+@[\w.-]+>|[^\s@<>\p{Cc}]+@[\w.-]+)$/u)
    .optional()
    .describe('the sender of mails, such as Spotkeeper <alerts@example.com>'),
  SMTP_TLS: z
    .enum(['starttls', 'implicit', 'off'])
    .optional()
    .describe(
      'starttls (the default: TLS is turned on or nothing is sent), implicit (TLS at once, the default of smtps://) or off',
    ),
  SMTP_CA_FILE: z
    .string()
    .min(1)
    .optional()
    .describe('the path of a readable PEM file with the authority that vouches for the mail server'),
  DASHBOARD_URL: z
    .url()
    .optional()
    .describe('the address of the dashboard, to which messages link (default: API_PUBLIC_URL)'),
  TEMPORAL_UI_URL: z
    .url()
    .optional()
    .describe('the address of the Temporal Web UI, to which messages link, such as http://127.0.0.1:8233'),
};

export type NotificationVariables = z.infer<z.ZodObject<typeof notificationVariables>>;

const TIMEOUT_MS = 15_000;
const PORTS = { starttls: 587, implicit: 465, off: 25 };
const OWN_HOSTS = ['localhost', '127.0.0.1', '::1'];

/** @throws EnvironmentError */
export function notificationParts(
  settings: NotificationVariables & { API_PUBLIC_URL: string; TEMPORAL_NAMESPACE: string },
): Omit<NotificationDependencies, 'db' | 'attempted'> {
  const bare = (url: string) => url.replace(/\/+$/, '');
  return {
    webhooks: { rules: targetRules(settings), timeoutMs: TIMEOUT_MS },
    smtp: smtpSettings(settings),
    places: {
      apiUrl: bare(settings.API_PUBLIC_URL),
      dashboardUrl: bare(settings.DASHBOARD_URL ?? settings.API_PUBLIC_URL),
      temporalUiUrl: settings.TEMPORAL_UI_URL === undefined ? null : bare(settings.TEMPORAL_UI_URL),
      temporalNamespace: settings.TEMPORAL_NAMESPACE,
    },
  };
}

/** @returns null when no mail server is named. @throws EnvironmentError when what is named doesn't go together. */
export function smtpSettings(variables: NotificationVariables): SmtpSettings | null {
  const { SMTP_URL, SMTP_HOST, SMTP_FROM, SMTP_USER, SMTP_PASSWORD, SMTP_CA_FILE } = variables;
  if (SMTP_URL !== undefined && SMTP_HOST !== undefined)
    throw new EnvironmentError(
      'The environment variables SMTP_URL and SMTP_HOST are both set: set one of them.',
    );
  if (SMTP_URL === undefined && SMTP_HOST === undefined) return null;
  if (SMTP_FROM === undefined)
    throw new EnvironmentError(
      'The environment variable SMTP_FROM is not set: a mail server needs a sender.',
    );
  const server = SMTP_URL === undefined ? null : parseUrl(SMTP_URL);
  const host = server?.host ?? SMTP_HOST ?? '';
  const tls = variables.SMTP_TLS ?? server?.tls ?? 'starttls';
  const user = server?.user ?? SMTP_USER;
  const pass = server?.password ?? SMTP_PASSWORD;
  if ((user === undefined) !== (pass === undefined))
    throw new EnvironmentError('A name and a password for the mail server are set together or not at all.');
  if (user !== undefined && tls === 'off' && !OWN_HOSTS.includes(host))
    throw new EnvironmentError(
      `With SMTP_TLS=off the password would cross the network to ${host} in the clear: use starttls or implicit.`,
    );
  return {
    host,
    port: server?.port ?? variables.SMTP_PORT ?? PORTS[tls],
    tls,
    auth: user !== undefined && pass !== undefined ? { user, pass } : null,
    from: SMTP_FROM,
    certificateAuthority: SMTP_CA_FILE === undefined ? null : readAuthority(SMTP_CA_FILE),
    timeoutMs: TIMEOUT_MS,
  };
}

function parseUrl(text: string) {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url?.hostname)
    throw new EnvironmentError('The environment variable SMTP_URL is not usable: it is not an address.');
  const decode = (part: string) => (part === '' ? undefined : decodeURIComponent(part));
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? undefined : Number(url.port),
    tls: url.protocol === 'smtps:' ? ('implicit' as const) : undefined,
    user: decode(url.username),
    password: decode(url.password),
  };
}

function readAuthority(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new EnvironmentError(
      `The environment variable SMTP_CA_FILE is not usable: ${path} can't be read (${(error as Error).message}).`,
    );
  }
}
