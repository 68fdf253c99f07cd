/** The snippets that docs/notifications.md hands to receivers check what we really send. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { webhookSignature } from '../../policy/notifications/webhook-body';
import { ROOT } from '../harness/servers';

const document = readFileSync(path.join(ROOT, 'docs', 'notifications.md'), 'utf8');
const snippet = (language: string) =>
  new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``).exec(document)?.[1] ?? 'the snippet is missing';

const LANGUAGES: Record<string, (secret: string, signature: string, body: string) => string> = {
  js: (...given) =>
    execFileSync(process.execPath, [
      '-e',
      `${snippet('js')}; const [s, h, b] = ${JSON.stringify(given)};
       console.log(isFromSpotkeeper(s, h, Buffer.from(b)))`,
    ]).toString(),
  python: (...given) =>
    execFileSync('python3', [
      '-c',
      `${snippet('python')}
import json
s, h, b = json.loads(${JSON.stringify(JSON.stringify(given))})
print(str(is_from_spotkeeper(s, h, b.encode())).lower())`,
    ]).toString(),
};

const nowSeconds = () => Math.floor(Date.now() / 1000);
const body = '{"title":"Ünï 😀"}';

const present = spawnSync('python3', ['--version']).status === 0 ? ['js', 'python'] : ['js'];

it.each(present)('the one in %s takes what is ours and fresh, and nothing else', (language) => {
  const check = LANGUAGES[language]!;
  const signature = webhookSignature('skw_secret', nowSeconds(), body);
  expect(check('skw_secret', signature, body)).toBe('true\n');
  expect(check('skw_other', signature, body)).toBe('false\n');
  expect(check('skw_secret', signature, `${body} `)).toBe('false\n');
  expect(check('skw_secret', webhookSignature('skw_secret', nowSeconds() - 600, body), body)).toBe('false\n');
  expect(check('skw_secret', `t=${nowSeconds()},v1=00`, body)).toBe('false\n');
});
