/** What can be known of docker-compose.yml without an engine. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../harness/servers';
import { composeText, exampleVariables, readCompose, type Service } from './compose-file';

const { required, optional } = exampleVariables();
const filled = Object.fromEntries(required.map((name) => [name, 'x']));
const { services, volumes } = readCompose(filled);
const all = Object.entries(services);
const isOneShot = (service: Service) => service.restart?.startsWith('on-failure') ?? false;
const checksHealth = (service: Service) => service.healthcheck?.test !== undefined;

it('pins every image to a version', () => {
  for (const [name, { image }] of all)
    expect([name, image]).toEqual([name, expect.stringMatching(/:v?\d+\.\d+/)]);
});

it('checks the health of everything that stays up, but for the Web UI, on which nothing depends', () => {
  const unchecked = all
    .filter(([, service]) => !isOneShot(service) && !checksHealth(service))
    .map(([name]) => name);
  expect(unchecked).toEqual(['temporal-ui']);
});

it('starts in an order that can be kept', () => {
  for (const [name, service] of all) {
    for (const [needed, { condition }] of Object.entries(service.depends_on ?? {})) {
      const other = services[needed];
      if (!other) throw new Error(`${name} needs ${needed}, which is no service.`);
      const fits =
        condition === 'service_healthy'
          ? checksHealth(other)
          : condition === 'service_completed_successfully' && isOneShot(other);
      expect([name, needed, condition, fits]).toEqual([name, needed, condition, true]);
    }
    expect(needs(name, [])).not.toContain(name);
  }
});

it('starts the API and the worker after the schema and the namespace', () => {
  for (const name of ['api', 'worker'])
    expect(needs(name, [])).toEqual(
      expect.arrayContaining(['migrate', 'temporal-namespace', 'temporal', 'postgres']),
    );
});

it('mounts only what is there', () => {
  for (const mount of all.flatMap(([, service]) => service.volumes ?? [])) {
    const [source = ''] = mount.split(':');
    if (source.startsWith('.')) expect([source, existsSync(path.join(ROOT, source))]).toEqual([source, true]);
    else expect(Object.keys(volumes)).toContain(source);
  }
});

it('publishes nothing to other machines by default', () => {
  for (const port of all.flatMap(([, service]) => service.ports ?? []))
    expect(port).toMatch(/^127\.0\.0\.1:/);
});

it('takes exactly the variables that the example names', () => {
  const used = [...composeText().matchAll(/\$\{(\w+)/g)].map(([, name]) => name);
  expect([...new Set(used)].sort()).toEqual([...required, ...optional].sort());
});

it.each(required)('says so when %s is missing', (name) => {
  expect(() => readCompose({ ...filled, [name]: '' })).toThrow(`${name} is not set; `);
});

/** All services that must have come before, directly or not. */
function needs(name: string, seen: string[]): string[] {
  for (const next of Object.keys(services[name]?.depends_on ?? {})) {
    if (seen.includes(next)) continue;
    seen.push(next);
    needs(next, seen);
  }
  return seen;
}
