/** The lines that `npm start` prints of what happens. */
import {
  eventLine,
  HeldLines,
  readEvent,
  readEventStream,
  type SystemEvent,
} from '../../cli/start/event-feed';

// A generator of bytes stands for a connection; the cuts are where networks cut.
async function* bytes(...parts: string[]) {
  for (const part of parts) yield new TextEncoder().encode(part);
}

async function all(...parts: string[]) {
  const events = [];
  for await (const event of readEventStream(bytes(...parts))) events.push(event);
  return events;
}

test('events are whole however the bytes are cut', async () => {
  const text = 'id: 7\nevent: system\ndata: {"a":\ndata: 1}\n\n: keep-alive\n\nid: 8\r\ndata: x\r\n\r\n';
  const expected = [
    { id: '7', data: '{"a":\n1}' },
    { id: '8', data: 'x' },
  ];
  expect(await all(text)).toEqual(expected);
  expect(await all(...text)).toEqual(expected);
});

test('an unfinished event is not told', async () => {
  expect(await all('data: half\n')).toEqual([]);
});

const event: SystemEvent = {
  id: '1',
  event_type: 'termination_notice',
  created_at: new Date(2026, 0, 31, 14, 3, 7).toISOString(),
  agent_id: 'a1',
  instance_id: 'i-1',
  message: 'EC2 takes i-1 back.',
};

test('a line says when, who, what and the message', () => {
  expect(eventLine(event, 'demo-agent-1')).toBe(
    '14:03:07  demo-agent-1  termination notice    EC2 takes i-1 back.',
  );
});

test('without a message the instance stands in', () => {
  expect(eventLine({ ...event, message: null }, 'a1')).toMatch(/termination notice +i-1$/);
});

test.each(['hello', '{}', '[]', 'null', '{"event_type":3}'])('%s is no event', (data) => {
  expect(readEvent(data)).toBeNull();
});

test('lines are held back until released, and keep their order', () => {
  const printed: string[] = [];
  const lines = new HeldLines((line) => printed.push(line));
  lines.say('1');
  expect(printed).toEqual([]);
  lines.release();
  lines.say('2');
  expect(printed).toEqual(['1', '2']);
});
