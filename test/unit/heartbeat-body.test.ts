/** What is read of a heartbeat's body: by the schema, and by the short cut for the usual form. */
import { type BeatBody, readBeatBody, readByTheSchema, readUsual } from '../../api/intake/heartbeat-body';
import { Problem } from '../../api/http/problem';

const NOTHING = {
  gpuUtilizationPercent: null,
  vramUsedGb: null,
  cpuUtilizationPercent: null,
  ramUsedGb: null,
  diskUsedGb: null,
  costAccumulated: null,
  uptimeSeconds: null,
};
const read = (body: unknown) => readBeatBody('heartbeat', body);
const gpu = (body: object) => read({ instance_id: 'i-1', ...body }).readings.gpuUtilizationPercent;

test("Dumont's own example", () => {
  const body = {
    instance_id: '28864630',
    gpu_utilization: 87,
    vram_used_gb: 18.4,
    cpu_utilization: 45,
    ram_used_gb: 12.0,
    disk_used_gb: 45.2,
    cost_accumulated: 2.4,
    status: 'running',
    uptime_seconds: 7200,
  };
  expect(readBeatBody('status', body)).toEqual<BeatBody>({
    instanceId: '28864630',
    status: 'online',
    health: 'healthy',
    mode: null,
    zone: null,
    readings: {
      gpuUtilizationPercent: 87,
      vramUsedGb: 18.4,
      cpuUtilizationPercent: 45,
      ramUsedGb: 12,
      diskUsedGb: 45.2,
      costAccumulated: 2.4,
      uptimeSeconds: 7200,
    },
  });
});

test('empty text and null are unknown, and a goodbye may say nothing else', () => {
  const empty = { status: '', instance_id: '', instance_type: '', mode: '', az: '', health: '' };
  const nothing = { instanceId: null, status: 'online', health: 'healthy', mode: null, zone: null };
  expect(read(empty)).toEqual({ ...nothing, readings: NOTHING });
  expect(read({ status: null, instance_id: null, mode: null, az: null, health: null })).toEqual({
    ...nothing,
    readings: NOTHING,
  });
  expect(read({ status: 'offline' })).toEqual({ ...nothing, status: 'offline', readings: NOTHING });
});

test.each([
  ['a number', { gpu_utilization: 87 }, 87],
  ['zero', { gpu_utilization: 0 }, 0],
  ['the busiest of a list', { gpu_utilization: [3, 91.5, 40] }, 91.5],
  ['the busiest of GPUs by name', { gpus: [{ utilization: 1 }, { utilization: 30 }] }, 30],
  ['the busiest of both', { gpu_utilization: 2, gpus: [{ utilization: 1 }] }, 2],
  ['nothing', {}, null],
  ['null', { gpu_utilization: null }, null],
  ['an empty list', { gpu_utilization: [] }, null],
  ['text', { gpu_utilization: '87' }, null],
  ['a negative number', { gpu_utilization: -1 }, null],
  ['a billion percent', { gpu_utilization: 1e9 }, null],
  ['one of a list that can not be read', { gpu_utilization: [1, 'x'] }, null],
  ['one of the GPUs without a reading', { gpus: [{ utilization: 1 }, {}] }, null],
  ['GPUs that are none', { gpus: 'four' }, null],
  ['GPUs of null', { gpus: [null] }, null],
  ['a list too long', { gpu_utilization: Array(65).fill(1) }, null],
])('a GPU reading of %s', (_name, body, expected) => expect(gpu(body)).toBe(expected));

test.each<[string, unknown]>([
  ['negative', -1],
  ['text', '12'],
  ['a list', [1]],
  ['an object', {}],
  ['true', true],
  ['null', null],
  ['a billion billions', 1e18],
])('any other reading that is %s is unknown, and the heartbeat counts', (_name, value) => {
  const body = {
    instance_id: 'i-1',
    vram_used_gb: value,
    cpu_utilization: value,
    ram_used_gb: value,
    disk_used_gb: value,
    cost_accumulated: value,
    uptime_seconds: value,
  };
  expect(read(body).readings).toEqual(NOTHING);
});

test('dollars are kept to a millionth and seconds whole', () => {
  const { readings } = read({ instance_id: 'i-1', cost_accumulated: 0.1 + 0.2, uptime_seconds: 1.9 });
  expect(readings).toMatchObject({ costAccumulated: 0.3, uptimeSeconds: 1 });
});

test.each<[string, unknown]>([
  ['a status nobody knows', { status: 'sleeping' }],
  ['a mode nobody knows', { mode: 'reserved' }],
  ['an id that is no text', { instance_id: 28864630 }],
  ['an id of other characters', { instance_id: 'i-1; drop' }],
  ['an id too long', { instance_id: 'i'.repeat(129) }],
  ['a zone too long', { instance_id: 'i-1', az: 'z'.repeat(65) }],
  ['a list', []],
  ['null', null],
  ['text', 'online'],
])('%s is refused', (_name, body) => {
  expect(() => read(body)).toThrow(expect.objectContaining({ status: 422, code: 'invalid_body' }));
});

test('Dumont must name its instance', () => {
  expect(() => readBeatBody('status', { status: 'running' })).toThrow(Problem);
  expect(() => readBeatBody('status', { status: 'running', instance_id: '' })).toThrow(Problem);
});

test('the short cut reads what the schema reads, of whatever it takes', () => {
  let seed = 7;
  const random = (below: number) => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % below;
  const choices: Record<string, unknown[]> = {
    status: ['online', 'running', 'offline', '', null, undefined, 'x', 1],
    instance_id: ['i-1', '28864630', 'a.b:c_d-e', '', null, undefined, ' i-1', 'i 1', 7],
    instance_type: ['p3.2xlarge', 'unknown', '', null, undefined, ' x ', 7],
    mode: ['spot', 'ondemand', '', null, undefined, 'reserved'],
    az: ['us-east-1a', '', null, undefined, ' us-east-1a ', 'x'.repeat(70)],
    health: ['healthy', 'unhealthy', '', null, undefined, 'ill'],
    gpu_utilization: [87, [1, 2], -1, 'x', null, undefined, 1e9],
    gpus: [undefined, [{ utilization: 5 }], [], 'x'],
    vram_used_gb: [18.4, -1, 1e18, undefined, '1'],
    cost_accumulated: [2.4, 0.1 + 0.2, undefined, -5],
    uptime_seconds: [7200, 1.5, 1e12, undefined],
    other: [undefined, { a: [1] }],
  };
  let short = 0;
  for (let round = 0; round < 5_000; round += 1) {
    const body = Object.fromEntries(
      Object.entries(choices)
        .map(([name, values]) => [name, values[random(round % 2 === 0 ? 2 : values.length)]] as const)
        .filter(([, value]) => value !== undefined),
    );
    const usual = readUsual(body);
    if (usual === null) continue;
    short += 1;
    expect(usual).toEqual(readByTheSchema('heartbeat', body));
    expect(usual).toEqual(readByTheSchema('status', body));
  }
  expect(short).toBeGreaterThan(1_000);
});
