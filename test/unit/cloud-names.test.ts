import { clientTokenOf, type LaunchAttempt } from '../../cloud/client-token';
import { imageName, snapshotKey } from '../../cloud/deterministic-names';

const attempt: LaunchAttempt = {
  agentId: 'agt_1',
  toIncarnation: 2,
  switchNumber: 3,
  attempt: 1,
  launchId: 'l-1',
  pool: { instanceType: 'p3.2xlarge', zone: 'us-east-1a', option: 'spot' },
};

describe('the client token', () => {
  it('has the 64 characters that EC2 takes, and is the same for a repeat', () => {
    expect(clientTokenOf(attempt)).toMatch(/^[0-9a-f]{64}$/);
    expect(clientTokenOf({ ...attempt, pool: { ...attempt.pool } })).toBe(clientTokenOf(attempt));
  });

  it.each<[string, Partial<LaunchAttempt>]>([
    ['agent', { agentId: 'agt_2' }],
    ['incarnation', { toIncarnation: 3 }],
    ['switch', { switchNumber: 4 }],
    ['attempt', { attempt: 2 }],
    ['launch id', { launchId: 'l-2' }],
    ['zone', { pool: { ...attempt.pool, zone: 'us-east-1b' } }],
    ['type', { pool: { ...attempt.pool, instanceType: 'g5.xlarge' } }],
    ['purchase option', { pool: { ...attempt.pool, option: 'ondemand' } }],
  ])('is another for another %s', (_, change) => {
    expect(clientTokenOf({ ...attempt, ...change })).not.toBe(clientTokenOf(attempt));
  });

  it('keeps apart what only looks the same when joined', () => {
    const one = clientTokenOf({ ...attempt, switchNumber: 1, attempt: 12 });
    expect(clientTokenOf({ ...attempt, switchNumber: 11, attempt: 2 })).not.toBe(one);
  });
});

describe('names for what has no client token', () => {
  it('are the same for the same question, and of the form that EC2 takes', () => {
    const name = imageName('agt_1', 'switch', '3');
    expect(name).toBe(imageName('agt_1', 'switch', '3'));
    expect(name).toMatch(/^spotkeeper\/agt_1\/[0-9a-f]{32}$/);
    expect(imageName('agt_1', 'switch', '4')).not.toBe(name);
    expect(imageName('agt_1', 'switch3')).not.toBe(name);
    expect(snapshotKey('retirement', 'i-1')).not.toBe(snapshotKey('retirement', 'i-2'));
  });

  it('stay within 128 letters, and apart, for agents with long or strange names', () => {
    const long = imageName('é'.repeat(300), 'x');
    expect(long).toMatch(/^[A-Za-z0-9()./_-]{3,128}$/);
    expect(imageName('é'.repeat(301), 'x')).not.toBe(long);
    expect(imageName('a b', 'x')).not.toBe(imageName('a-b', 'x'));
  });
});
