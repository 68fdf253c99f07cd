/** Mail by SMTP: one attempt, and what the server's answer means. */
import { createTransport, type Transporter } from 'nodemailer';
import type Mail from 'nodemailer/lib/mailer';
import type SMTPConnection from 'nodemailer/lib/smtp-connection';
import { mailAddresses, targetFault, type TargetRules } from '../../contracts/notification-targets';
import type { NotificationMessage } from '../../contracts/notifications';
import type { DueDelivery } from '../../db/notification-deliveries';
import { oneLine } from '../../policy/notifications/clean-text';
import { plainText } from '../../policy/notifications/plain-text';
import { GiveUp, TryAgain } from './delivery-errors';

/**
 * `starttls`: the connection turns to TLS before anything is said, or isn't used; `implicit`: TLS from its first byte;
 * `off`: none, for a server on the same host.
 */
export type SmtpTls = 'starttls' | 'implicit' | 'off';

export interface SmtpSettings {
  host: string;
  port: number;
  tls: SmtpTls;
  auth: { user: string; pass: string } | null;
  /** `name@host`, or `Name <name@host>`. */
  from: string;
  /** PEM of the authority that vouches for the server; null for those that the system trusts. */
  certificateAuthority: string | null;
  timeoutMs: number;
}

/**
 * @returns a note when the server took the mail for some of the addresses only, else null.
 * @throws TryAgain, GiveUp
 */
export async function sendMail(
  due: DueDelivery,
  settings: SmtpSettings | null,
  rules: TargetRules,
  signal: AbortSignal,
): Promise<string | null> {
  if (settings === null) {
    throw new GiveUp(
      'This installation has no mail server: SMTP_URL and SMTP_FROM are not set at its workers.',
    );
  }
  const fault = targetFault('email', due.channel.target, rules);
  if (fault) throw new GiveUp(`The channel's target ${fault}.`);
  const transport = createTransport(transportOptions(settings));
  const close = () => transport.close();
  signal.addEventListener('abort', close, { once: true });
  try {
    return await send(transport, mailOf(due, settings.from));
  } finally {
    signal.removeEventListener('abort', close);
    transport.close();
  }
}

function transportOptions({ host, port, tls, auth, certificateAuthority, timeoutMs }: SmtpSettings) {
  return {
    host,
    port,
    secure: tls === 'implicit',
    requireTLS: tls === 'starttls',
    ignoreTLS: tls === 'off',
    ...(auth && { auth }),
    tls: { minVersion: 'TLSv1.2' as const, ...(certificateAuthority && { ca: certificateAuthority }) },
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    // Nothing in a message may make the worker read a file or an address.
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}

export function mailOf({ deliveryId, message, channel }: DueDelivery, from: string): Mail.Options {
  const host = /@([^>\s]+)>?$/.exec(from)?.[1] ?? 'spotkeeper.invalid';
  const threads = message.groups.map((group) => `<notification.${group.notificationId}@${host}>`);
  return {
    from,
    to: mailAddresses(channel.target),
    subject: subjectOf(message),
    text: plainText(message),
    // Mail programs put messages of the same thread together, though its first one never was.
    messageId: `<${deliveryId}@${host}>`,
    ...(threads.length > 0 && { references: threads, inReplyTo: threads[0] }),
    headers: {
      'Auto-Submitted': 'auto-generated',
      'X-Auto-Response-Suppress': 'All',
      'X-Spotkeeper-Severity': message.severity,
      'X-Spotkeeper-Delivery': deliveryId,
    },
  };
}

function subjectOf({ kind, severity, title }: NotificationMessage): string {
  return oneLine(`[spotkeeper] ${kind === 'test' ? '' : `${severity}: `}${title}`, 200);
}

async function send(transport: Transporter, mail: Mail.Options): Promise<string | null> {
  try {
    const { rejected } = (await transport.sendMail(mail)) as { rejected?: unknown[] };
    return rejected?.length ? `The mail server refused ${rejected.length} of the addresses.` : null;
  } catch (error) {
    throw smtpFailure(error as SMTPConnection.SMTPError);
  }
}

/** The server's own words stay in the worker: they can hold what concerns others. */
function smtpFailure({ code, responseCode }: SMTPConnection.SMTPError): Error {
  const said = responseCode === undefined ? '' : ` (it said ${responseCode})`;
  switch (code) {
    case 'EAUTH':
      return new TryAgain(`The mail server refused to let this installation in${said}.`);
    case 'EENVELOPE':
    case 'EMESSAGE':
      if (responseCode !== undefined && responseCode >= 400 && responseCode < 500)
        return new TryAgain(`The mail server can't take the message now${said}.`);
      return new GiveUp(`The mail server refused the message or all of its addresses${said}.`);
    case 'ETLS':
      return new TryAgain('The mail server offers no TLS that can be trusted.');
    case 'ESOCKET':
    case 'ECONNECTION':
    case 'ETIMEDOUT':
    case 'EDNS':
      return new TryAgain(`The mail server can't be reached (${code}).`);
    default:
      return responseCode !== undefined && responseCode >= 500
        ? new GiveUp(`The mail server refused the message${said}.`)
        : new TryAgain(`The mail server failed${said || ` (${code ?? 'no reason given'})`}.`);
  }
}
