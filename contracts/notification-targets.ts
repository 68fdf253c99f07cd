/**
 * Where notifications may be sent. Whoever may make a channel chooses an address that our worker connects to, so it must
 * not be one inside our network: the form is checked when the channel is made, and the resolved address at every
 * connection.
 */
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import type { ChannelKind } from './notifications';

export interface TargetRules {
  /** Networks in CIDR form that may be reached though they aren't public, and over plain HTTP. */
  allowedNetworks: readonly string[];
  slackHosts: readonly string[];
}

const listOf = (text: string) =>
  text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');

/** Of the API, which checks a channel's form, and of the workers, which connect. */
export const targetVariables = {
  NOTIFY_ALLOW_PRIVATE: z
    .string()
    .transform(listOf)
    .refine((networks) => networks.every((one) => ipaddr.isValidCIDR(one)))
    .prefault('')
    .describe(
      'a comma list of networks in CIDR form that webhooks may reach though they are private, such as 10.1.0.0/16,fd00::/8',
    ),
  NOTIFY_SLACK_HOSTS: z
    .string()
    .transform((text) => listOf(text.toLowerCase()))
    .prefault('hooks.slack.com,hooks.slack-gov.com')
    .describe('a comma list of the hosts that Slack channels may name, such as hooks.slack.com'),
};

export function targetRules(settings: z.infer<z.ZodObject<typeof targetVariables>>): TargetRules {
  return { allowedNetworks: settings.NOTIFY_ALLOW_PRIVATE, slackHosts: settings.NOTIFY_SLACK_HOSTS };
}

/**
 * Why an IP address must not be connected to; null if it may.
 * Only what is public is let through, so that a range nobody thought of is refused.
 */
export function addressFault(address: string, rules: TargetRules): string | null {
  if (!ipaddr.isValid(address)) return 'it is not an IP address';
  const parsed = ipaddr.process(address); // A v4 address inside a v6 one counts as what it is.
  if (isAllowed(parsed, rules)) return null;
  const range = parsed.range();
  const routable = parsed.kind() === 'ipv4' || parsed.match(ipaddr.parseCIDR('2000::/3'));
  if (range === 'unicast' && routable) return null;
  return `it is not a public address (${range})`;
}

function isAllowed(address: ipaddr.IPv4 | ipaddr.IPv6, rules: TargetRules): boolean {
  return rules.allowedNetworks.some((network) => {
    const [base, bits] = ipaddr.parseCIDR(network);
    return base.kind() === address.kind() && address.match(base, bits);
  });
}

/** The address in a URL's host if it is one; names are looked up when they are connected to. */
export function literalAddress(url: URL): string | null {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return ipaddr.isValid(host) ? host : null;
}

/** Why this can't be a channel's target, as the end of a sentence; null if it can as far as its form goes. */
export function targetFault(kind: ChannelKind, target: string, rules: TargetRules): string | null {
  if (kind === 'email') return addressesFault(target);
  const url = URL.canParse(target) ? new URL(target) : null;
  if (url === null) return 'is not an address such as https://example.com/hook';
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'must begin with https://';
  if (url.username || url.password) return 'must not hold a user name or password';
  if (url.hash) return 'must not hold a fragment (#…)';
  const address = literalAddress(url);
  const fault = address && addressFault(address, rules);
  if (fault) return `names ${address}, where nothing is sent: ${fault}`;
  if (kind === 'slack' && !rules.slackHosts.includes(url.hostname)) {
    return `must be on ${rules.slackHosts.join(' or ')}`;
  }
  return url.protocol === 'http:' ? plainHttpFault(address, rules) : null;
}

/** Plain HTTP goes only to networks that the installation itself has named. */
function plainHttpFault(address: string | null, rules: TargetRules): string | null {
  const allowed = rules.allowedNetworks.length > 0 && (!address || isAllowed(ipaddr.process(address), rules));
  return allowed ? null : 'must begin with https://';
}

/** The same at the moment of connecting, when the address is known. */
export function connectionFault(url: URL, address: string, rules: TargetRules): string | null {
  const fault = addressFault(address, rules);
  if (fault) return fault;
  if (url.protocol === 'https:' || isAllowed(ipaddr.process(address), rules)) return null;
  return 'plain HTTP is for private networks that NOTIFY_ALLOW_PRIVATE names; use https://';
}

const MAX_ADDRESSES = 20;
/** Narrower than what mail allows: nothing that could begin another header or another recipient. */
const MAIL_ADDRESS = /^[^\s@<>()[\]\\,;:"\p{Cc}\p{Cf}]{1,64}@(?:[\p{L}\p{N}-]{1,63}\.)*[\p{L}\p{N}-]{1,63}$/u;

export function mailAddresses(target: string): string[] {
  return listOf(target);
}

function addressesFault(target: string): string | null {
  const addresses = mailAddresses(target);
  if (addresses.length === 0 || addresses.length > MAX_ADDRESSES)
    return `takes from 1 to ${MAX_ADDRESSES} mail addresses, with commas between them`;
  const wrong = addresses.find((one) => !MAIL_ADDRESS.test(one));
  return wrong === undefined ? null : `holds ${JSON.stringify(wrong)}, which is not a mail address`;
}

/** What of a target may be shown: the rest of a webhook's address is as good as a password. */
export function shownTarget(kind: ChannelKind, target: string): string {
  if (kind === 'email') return mailAddresses(target).join(', ');
  const url = new URL(target);
  return url.pathname.length > 1 || url.search ? `${url.origin}/…` : url.origin;
}
