/** The policies in deploy/iam allow what the port calls, no less and no more. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { PROBED_ACTIONS } from '../../cloud/identity-port';

const ROOT = path.join(__dirname, '..', '..');

interface Policy {
  Statement: { Effect: string; Action: string | string[] }[];
}

function allowed(file: string): string[] {
  const policy = JSON.parse(readFileSync(path.join(ROOT, 'deploy', 'iam', file), 'utf8')) as Policy;
  return policy.Statement.filter(({ Effect }) => Effect === 'Allow').flatMap(({ Action }) => Action);
}

/** The actions of every command that cloud/ imports from an AWS client. */
function called(): string[] {
  const folder = path.join(ROOT, 'cloud');
  const actions = readdirSync(folder).flatMap((file) => {
    const source = readFileSync(path.join(folder, file), 'utf8');
    const imports = source.matchAll(/import \{([^}]*)\} from '@aws-sdk\/client-(\w+)';/g);
    return [...imports].flatMap(([, names, service]) =>
      [...names!.matchAll(/(?<!type )\b(\w+)Command\b/g)].map(([, action]) => `${service}:${action}`),
    );
  });
  return [...new Set(actions)].sort();
}

it('the worker may do what the port calls', () => {
  expect(called().length).toBeGreaterThan(20);
  expect(allowed('worker-policy.json').sort()).toEqual(called());
});

it('a worker that takes on a role may do that besides', () => {
  expect(allowed('assume-role-policy.json')).toEqual(['sts:AssumeRole']);
});

it('every action that changes something can be asked about, but those of the fleet’s passing template', () => {
  const changes = called().filter(
    (action) => action.startsWith('ec2:') && !action.startsWith('ec2:Describe'),
  );
  const asked = PROBED_ACTIONS.map((action) => `ec2:${action}`);
  expect(changes.filter((action) => !asked.includes(action))).toEqual([
    'ec2:CreateLaunchTemplate',
    'ec2:DeleteLaunchTemplate',
  ]);
});
