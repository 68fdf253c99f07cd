import { readLocalSettings, readServerSettings } from '../../agent/settings';

const userData = (fields: object) => JSON.stringify({ spotkeeper: fields });

test('the environment goes before user data', () => {
  const given = userData({ server_url: 'http://given', logical_agent_id: 'given', client_token: 'given' });
  expect(readServerSettings({}, given)).toEqual({
    serverUrl: 'http://given',
    logicalAgentId: 'given',
    credential: 'given',
  });
  const set = {
    SPOT_OPTIMIZER_SERVER_URL: 'https://set/',
    LOGICAL_AGENT_ID: 'set',
    SPOT_OPTIMIZER_CLIENT_TOKEN: 'set',
  };
  expect(readServerSettings(set, given)).toEqual({
    serverUrl: 'https://set',
    logicalAgentId: 'set',
    credential: 'set',
  });
});

test("both sources' names of variables work", () => {
  const environment = { SERVER_URL: 'http://set', CLIENT_TOKEN: 'token', LOGICAL_AGENT_ID: 'id' };
  expect(readServerSettings(environment, null).credential).toBe('token');
});

test('on an instance that the server launched, what came with its image counts for nothing', () => {
  const copied = { SERVER_URL: 'http://maker', CLIENT_TOKEN: 'maker', LOGICAL_AGENT_ID: 'maker' };
  const given = userData({ server_url: 'http://given', logical_agent_id: 'given', launch_id: 'launch' });
  expect(readServerSettings(copied, given)).toEqual({
    serverUrl: 'http://given',
    logicalAgentId: 'given',
    credential: 'launch',
  });
});

test.each([
  '#!/bin/sh\necho',
  'null',
  '[]',
  '{"other":1}',
  '{"spotkeeper":"x"}',
  '{"spotkeeper":{"client_token":1}}',
])('user data that is not ours counts as none: %j', (text) => {
  const environment = { SERVER_URL: 'http://set', CLIENT_TOKEN: 'token', LOGICAL_AGENT_ID: 'id' };
  expect(readServerSettings(environment, text).logicalAgentId).toBe('id');
});

test('each thing that is missing or unusable has its sentence', () => {
  expect(() => readServerSettings({}, null)).toThrow(
    /SPOT_OPTIMIZER_SERVER_URL is not set.*\n.*LOGICAL_AGENT_ID is not set.*\n.*SPOT_OPTIMIZER_CLIENT_TOKEN is not set/,
  );
  const environment = { SERVER_URL: 'server', CLIENT_TOKEN: 'a b', LOGICAL_AGENT_ID: 'id' };
  expect(() => readServerSettings(environment, null)).toThrow(/got "server"; it takes.*\n.*got "\(hidden\)"/);
});

test('intervals take fractions, and notices are looked for every ten seconds at least', () => {
  expect(readLocalSettings({})).toMatchObject({
    metadataUrl: 'http://169.254.169.254',
    home: '/opt/spot-agent',
    heartbeatIntervalSeconds: 30,
    terminationCheckSeconds: 5,
    rebalanceCheckSeconds: 30,
  });
  const set = { TERMINATION_CHECK_INTERVAL: '60', HEARTBEAT_INTERVAL: '0.5' };
  expect(readLocalSettings(set)).toMatchObject({
    terminationCheckSeconds: 10,
    heartbeatIntervalSeconds: 0.5,
  });
  const wrong = { HEARTBEAT_INTERVAL: 'often', REBALANCE_CHECK_INTERVAL: '0', LOG_LEVEL: 'loud' };
  expect(() => readLocalSettings(wrong)).toThrow(/got "often".*\n.*got "0".*\n.*got "LOUD"/);
});
