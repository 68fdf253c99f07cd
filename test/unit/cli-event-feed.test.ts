/** The lines that `npm start` prints of what happens. */
import { eventLine, HeldLines, readEventStream } from '../../cli/start/event-feed';

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

test('a line says when, what and the message', () => {
  const data = JSON.stringify({
    id: '1',
    event_type: 'spot_interruption',
    created_at: new Date(2026, 0, 31, 14, 3, 7).toISOString(),
    agent_id: 'a1',
    instance_id: 'i-1',
    message: 'us-east-1a takes i-1 back',
  });
  expect(eventLine(data)).toBe('14:03:07  spot interruption       us-east-1a takes i-1 back');
});

test('without a message the agent and its instance stand in', () => {
  expect(eventLine('{"event_type":"registered","agent_id":"a1","instance_id":"i-1"}')).toMatch(/a1 on i-1$/);
});

test.each(['hello', '{}', '[]', '{"event_type":3}'])('%s is no event', (data) => {
  expect(eventLine(data)).toBeNull();
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
