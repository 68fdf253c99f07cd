/** Which events are one piece of news, and how it is said to Slack, by mail and to webhooks. */
import { createHmac } from 'node:crypto';
import { pauseSeconds } from '../../activities/notifications/send-webhook';
import { oneLine } from '../../policy/notifications/clean-text';
import { groupOf, MOST_GROUPS } from '../../policy/notifications/grouping';
import {
  composeMessage,
  composeTest,
  type GroupFacts,
  type Places,
} from '../../policy/notifications/message';
import { plainText } from '../../policy/notifications/plain-text';
import { slackMessage } from '../../policy/notifications/slack-message';
import { webhookBody, webhookSignature } from '../../policy/notifications/webhook-body';

const places: Places = {
  apiUrl: 'https://api.example.com',
  dashboardUrl: 'https://api.example.com',
  temporalUiUrl: 'https://temporal.example.com',
  temporalNamespace: 'default',
};
const now = new Date('2026-03-01T12:00:00Z');

function subject(
  at: number,
  changes: Partial<GroupFacts['subjects'][number]> = {},
): GroupFacts['subjects'][number] {
  return {
    eventId: String(at),
    eventType: 'agent_orphaned',
    clientId: 'c1',
    agentId: `agent-${at}`,
    logicalAgentId: `web-${at}`,
    instanceId: `i-${at}`,
    message: `Agent web-${at} is orphaned.`,
    at: '2026-03-01T11:59:00.000Z',
    details: {},
    ...changes,
  };
}

function group(changes: Partial<GroupFacts> = {}): GroupFacts {
  return {
    notificationId: '1',
    eventType: 'agent_orphaned',
    severity: 'warning',
    zone: 'us-east-1a',
    region: 'us-east-1',
    eventsInAll: 100,
    since: now,
    update: false,
    events: 100,
    agents: 100,
    subjects: Array.from({ length: 10 }, (_, at) => subject(at)),
    ...changes,
  };
}

const one = (changes: Partial<GroupFacts> = {}, subjectChanges: Parameters<typeof subject>[1] = {}) =>
  composeMessage(
    'c1',
    [group({ events: 1, eventsInAll: 1, agents: 1, subjects: [subject(1, subjectChanges)], ...changes })],
    now,
    places,
  );

/** All strings anywhere in a value. */
function texts(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(texts);
}

describe('grouping', () => {
  const event = (changes: Partial<Parameters<typeof groupOf>[0]> = {}) => ({
    eventType: 'agent_orphaned',
    severity: 'warning' as const,
    zone: 'us-east-1a',
    region: 'us-east-1',
    details: {},
    ...changes,
  });
  const key = (changes: Parameters<typeof event>[0]) => groupOf(event(changes), new Set()).key;

  it('tells kinds, severities, places and causes apart, and nothing else', () => {
    const others = [
      { eventType: 'instance_lost' },
      { severity: 'critical' as const },
      { zone: 'us-east-1b' },
      { details: { cause: 'idle' } },
      { details: { code: 'UnauthorizedOperation' } },
    ];
    const keys = [{}, ...others].map(key);
    expect(new Set(keys).size).toBe(keys.length);
    expect(key({ details: { message: 'anything' } })).toBe(key({}));
  });

  it('goes by the region where no zone is known', () => {
    expect(key({ zone: null })).not.toBe(key({ zone: null, region: 'eu-west-1' }));
  });

  it('puts the rest of a severity together once there are too many groups', () => {
    const open = new Set(Array.from({ length: MOST_GROUPS }, (_, at) => `group ${at}`));
    const rest = groupOf(event({ zone: 'new-1' }), open);
    expect(rest).toMatchObject({ eventType: null, zone: null });
    expect(groupOf(event({ zone: 'new-2', eventType: 'x' }), open).key).toBe(rest.key);
    expect(groupOf(event({ severity: 'critical' }), open).key).not.toBe(rest.key);
    open.add(key({}));
    expect(groupOf(event(), open).eventType).toBe('agent_orphaned');
  });
});

describe('a message', () => {
  it('says how many, where, what the system does and what a person can do', () => {
    const message = composeMessage('c1', [group()], now, places);
    expect(message.title).toBe('100 agents are orphaned: they have been silent for too long in us-east-1a');
    const text = plainText(message);
    expect(text).toContain('WARNING: 100 agents are orphaned');
    expect(text).toContain('and 95 more');
    expect(text).toContain('the machine is hibernated');
    expect(text).toContain('npx spotkeeper keep-alive agent-0 --minutes 60');
    expect(text).toContain('https://api.example.com/api/agents/agent-0/keep-alive');
    expect(text).toContain('https://temporal.example.com/namespaces/default/workflows/agent%3Aagent-0');
    expect(text).toContain('Client: c1');
  });

  it('names the one agent, and the event’s own words where there are no better', () => {
    expect(one().title).toBe('Agent web-1 is orphaned: it has been silent for too long in us-east-1a');
    const message = 'Agent web-1 was deleted; snapshots snap-1, snap-2 are kept.';
    expect(one({ eventType: 'something_new' }, { message }).title).toBe(message);
    expect(plainText(one({ eventType: 'agent_deleted' }, { message }))).toContain('snap-1, snap-2');
  });

  it('says that it is an update', () => {
    const message = composeMessage(
      'c1',
      [group({ update: true, events: 7, agents: 7, eventsInAll: 107 })],
      now,
      places,
    );
    expect(message.title).toMatch(/^7 more agents/);
    expect(plainText(message)).toContain('107 since 2026-03-01');
  });

  it('begins with the most severe, and counts what doesn’t fit', () => {
    const groups = Array.from({ length: 9 }, (_, at) =>
      group({ notificationId: String(at), zone: `zone-${at}` }),
    );
    groups.push(
      group({
        notificationId: 'dire',
        severity: 'critical',
        eventType: 'needs_operator',
        agents: 2,
        events: 2,
      }),
    );
    const message = composeMessage('c1', groups, now, places);
    expect(message).toMatchObject({ severity: 'critical', more: { groups: 4, events: 400 } });
    expect(message.title).toMatch(/^2 agents need a person in us-east-1a, and 9 more$/);
    expect(plainText(message)).toContain('And 4 more kinds of events, 400 in all');
  });

  it('names the client of each event to the operators only', () => {
    expect(plainText(composeMessage('*', [group()], now, places))).toContain(
      '- c1: Agent web-0 is orphaned.',
    );
    expect(plainText(composeMessage('c1', [group()], now, places))).not.toContain('- c1:');
  });

  it('puts no id into a command that isn’t ours', () => {
    const text = plainText(one({}, { agentId: 'x; rm -rf /' }));
    expect(text).not.toContain('npx spotkeeper keep-alive');
  });

  it('stays on one line and in one direction, whatever agents are called', () => {
    const message = one({}, { logicalAgentId: 'a\r\nBcc: evil@example.com\u202e\u0000\ud800' });
    expect(message.title).toBe(
      'Agent a Bcc: evil@example.com \ufffd is orphaned: it has been silent for too long in us-east-1a',
    );
    expect(oneLine('😀'.repeat(20), 5)).toBe('😀😀😀😀…');
  });
});

describe('Slack', () => {
  const hostile = '<!channel> <@U123> <https://evil.example|click> & @here `code` *bold*';

  it('can be made to mention nobody and link nowhere', () => {
    const message = one({}, { logicalAgentId: hostile, message: hostile });
    const slack = slackMessage(message);
    expect(slack).toMatchObject({ parse: 'none', link_names: false, unfurl_links: false });
    const all = texts(slack);
    for (const text of all) {
      const links = text.match(/<[^>]*>/g) ?? [];
      expect(links.every((link) => /^<https:\/\/(?:api|temporal)\.example\.com/.test(link))).toBe(true);
    }
    expect(all.join()).toContain('&lt;!channel&gt;');
    const blocks = (slack as { blocks: { text: { verbatim?: boolean } }[] }).blocks;
    expect(blocks.every((block) => block.text.verbatim === true)).toBe(true);
  });

  it('keeps within Slack’s limits', () => {
    const long = '<'.repeat(2000);
    const groups = Array.from({ length: 30 }, (_, at) =>
      group({
        notificationId: String(at),
        subjects: Array.from({ length: 10 }, (_, i) => subject(i, { message: long, logicalAgentId: long })),
      }),
    );
    const { blocks } = slackMessage(composeMessage('*', groups, now, places)) as {
      blocks: { text: { text: string } }[];
    };
    expect(blocks.length).toBeLessThanOrEqual(50);
    for (const block of blocks) {
      expect(block.text.text.length).toBeLessThanOrEqual(3000);
      expect(block.text.text).not.toMatch(/&(?:l|g|lt|gt|a|am|amp)?$/);
    }
  });

  it('has a title for a test and for several groups', () => {
    const test = slackMessage(composeTest('c1', 'an administrator', now, places));
    expect(texts(test).join()).toContain('nothing has happened');
  });
});

describe('a webhook', () => {
  it('carries all of it as JSON, the same at every attempt', () => {
    const message = composeMessage('c1', [group()], now, places);
    const body = JSON.parse(webhookBody('d1', message)) as Record<string, unknown>;
    expect(body).toMatchObject({
      id: 'd1',
      type: 'notification',
      client_id: 'c1',
      severity: 'warning',
      notifications: [{ id: '1', event_count: 100, more_events: 95, zone: 'us-east-1a' }],
    });
    expect(webhookBody('d1', message)).toBe(webhookBody('d1', message));
  });

  it('is signed over its time and body', () => {
    const digest = createHmac('sha256', 'secret').update('1700000000.{"a":1}').digest('hex');
    expect(webhookSignature('secret', 1_700_000_000, '{"a":1}')).toBe(`t=1700000000,v1=${digest}`);
  });
});

it.each([
  [null, null],
  ['30', 30],
  ['0', 1],
  ['999999', 3600],
  ['Sun, 01 Mar 2026 12:01:00 GMT', 60],
  ['Sun, 01 Mar 2026 11:00:00 GMT', 1],
  ['soon', null],
])('reads Retry-After %j as %j seconds', (header, seconds) => {
  expect(pauseSeconds(header, now.getTime())).toBe(seconds);
});
