/** The page as a person uses it, in a real browser against the real API, database, Temporal server and worker. */
import type { Browser, Page } from 'playwright-core';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { type RegisteredAgent, registerByHand } from '../harness/registered-agent';
import { until } from '../harness/until';
import { System } from '../harness/system';
import { findChromium, launchChromium } from './chromium';

const program = findChromium();
if (!program) {
  console.log(
    'The tests of the page are skipped: this machine has no Chromium. Install one (Debian: apt-get install chromium) or name it in CHROMIUM_PATH.',
  );
}
const onChromium = program ? describe : describe.skip;

onChromium('the page', () => {
  let system: System;
  let browser: Browser;
  let page: Page;
  let agent: RegisteredAgent;

  beforeAll(async () => {
    system = await System.start({ cloud: ['--synthetic', '1', '--boot', 'none'] });
    await system.api.restart({ env: { TEMPORAL_UI_URL: 'http://temporal-ui.test:8233' } });
    browser = await launchChromium(program!);
  });

  afterAll(async () => {
    await browser?.close();
    await system?.stop();
  });

  beforeEach(async () => {
    page = await browser.newPage({ viewport: { width: 1360, height: 800 } });
  });

  afterEach(async () => {
    await shoot(page, expect.getState().currentTestName ?? 'page');
    await page.close();
  });

  const address = (token: string) => `${system.api.ready.url}/#token=${token}`;
  const row = (name: string) => page.getByRole('row', { name: new RegExp(`^${name}`) });

  it('says why a wrong token is not taken, and lets another be entered', async () => {
    await page.goto(system.api.ready.url);
    await page.getByLabel('Token').fill('sku_of-nobody-at-all');
    await page.getByRole('button', { name: 'Show the fleet' }).click();
    await expectText('alert', 'The token is unknown or was revoked.');
    await page.getByLabel('Token').fill(system.tokens.user);
    await page.keyboard.press('Enter');
    await page.getByText('This client has no agents yet.').waitFor();
  });

  it('takes the token from the address and out of it, and shows the fleet', async () => {
    agent = await registerByHand(system, 'web-shop');
    await page.goto(address(system.tokens.user));
    await row('web-shop').waitFor();
    const text = await row('web-shop').innerText();
    for (const fact of ['Online', agent.instanceId, 'p3.2xlarge', 'on-demand']) expect(text).toContain(fact);
    expect(text).toMatch(/\d+ s ago/);
    expect(new URL(page.url()).hash).toBe('');
    const link = row('web-shop').getByRole('link', { name: 'web-shop' });
    expect(await link.getAttribute('href')).toBe(
      `http://temporal-ui.test:8233/namespaces/default/workflows/${encodeURIComponent(`agent:${agent.id}`)}`,
    );
    await page.reload();
    await row('web-shop').waitFor();
  });

  it('keeps an agent alive at the press of a button, and shows the event as it comes', async () => {
    await page.goto(address(system.tokens.user));
    await page.getByText('Live', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Keep web-shop alive for 60 minutes' }).click();
    await row('web-shop').getByText('Kept alive for 60 minutes.').waitFor();
    await page
      .getByRole('listitem')
      .filter({ hasText: 'keep alive' })
      .getByText('is kept alive until')
      .waitFor();
    await row('web-shop')
      .getByText(/kept alive until .*, 60 min more/)
      .waitFor();
    const state = await system.temporal.client.workflow.getHandle(`agent:${agent.id}`).query<{
      keepAliveUntil: string | null;
    }>('agentState');
    expect(Date.parse(state.keepAliveUntil ?? '') - Date.now()).toBeGreaterThan(59 * 60_000);
  });

  it('takes up its events again after the API was killed', async () => {
    await page.goto(address(system.tokens.user));
    await page.getByText('Live', { exact: true }).waitFor();
    await system.api.restart();
    await page.getByText('Not connected; trying again').waitFor();
    await page.getByText('Live', { exact: true }).waitFor();
    await registerByHand(system, 'second-agent');
    await page.getByRole('listitem').filter({ hasText: 'Agent second-agent registered' }).waitFor();
    await row('second-agent').waitFor();
  });

  it('starts a switch only after it was confirmed, and shows it running', async () => {
    await page.goto(address(system.tokens.user));
    await page.getByText('Live', { exact: true }).waitFor();
    const button = page.getByRole('button', { name: 'Switch web-shop to another pool' });
    await button.click();
    await page.getByRole('dialog').getByRole('button', { name: 'Leave it' }).click();
    expect((await runningSwitch()).activeSwitch).toBeNull();
    await button.click();
    await page.getByRole('dialog').getByRole('button', { name: 'Switch' }).click();
    await row('web-shop').getByText('Switch 1 has started.').waitFor();
    const link = row('web-shop').getByRole('link', { name: '1 is running' });
    await link.waitFor();
    expect(await link.getAttribute('href')).toContain(encodeURIComponent(`switch:${agent.id}:1`));
    expect(await button.isDisabled()).toBe(true);
    expect((await runningSwitch()).activeSwitch).not.toBeNull();
  });

  it('protects an agent from policies at the press of a button, and lifts that', async () => {
    await page.goto(address(system.tokens.user));
    await page.getByRole('button', { name: 'Protect second-agent from policies' }).click();
    await row('second-agent').getByText('No policy stops or deletes this agent now.').waitFor();
    await row('second-agent').getByText('protected', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Let policies stop second-agent again' }).click();
    await row('second-agent').getByText('protected', { exact: true }).waitFor({ state: 'hidden' });
  });

  it('counts down to a hibernation for idleness, second by second', async () => {
    const dueAt = new Date(Date.now() + 100_000);
    // Whatever else the agent's workflow publishes takes the warning back, of which it knows nothing.
    const warn = () =>
      system.sql.query(
        `update instance_standing set hibernation_due_at = $2, hibernation_reason = 'GPU under 5 %'
           where agent_id = (select id from agents where logical_agent_id = $1)`,
        ['second-agent', dueAt],
      );
    await warn();
    await page.goto(address(system.tokens.user));
    const left = async () => {
      await warn();
      const text = await row('second-agent')
        .getByText(/hibernated in \d:\d\d: GPU under 5 %/)
        .innerText();
      const [, minutes, seconds] = /(\d):(\d\d)/.exec(text) ?? [];
      return Number(minutes) * 60 + Number(seconds);
    };
    const first = await left();
    expect(first).toBeGreaterThan(60);
    // A busy machine may draw late and leave a second out, so each number below will do.
    await until('it is counted down', async () => (await left()) <= first - 2, 30_000);
    await system.sql.query('update instance_standing set hibernation_due_at = null');
  });

  it('shows an orphaned agent as one', async () => {
    await system.sql.query(`update agents set status = 'orphaned' where logical_agent_id = 'second-agent'`);
    await page.goto(address(system.tokens.user));
    await row('second-agent').getByText('Orphaned', { exact: true }).waitFor();
  });

  it('hibernates an agent only after it was confirmed, says how it was done, and resumes it', async () => {
    await page.goto(address(system.tokens.user));
    await page.getByText('Live', { exact: true }).waitFor();
    const button = page.getByRole('button', { name: 'Hibernate second-agent' });
    await button.click();
    await page.getByRole('dialog').getByRole('button', { name: 'Leave it' }).click();
    await button.click();
    await page.getByRole('dialog').getByRole('button', { name: 'Hibernate' }).click();
    await row('second-agent').getByText('The agent is being hibernated.').waitFor();
    await row('second-agent').getByText('Hibernated', { exact: true }).waitFor();
    await row('second-agent')
      .getByRole('link', { name: /^hibernated (?:by a stop|with its memory saved)$/ })
      .waitFor();
    await page.getByRole('button', { name: 'Resume second-agent' }).click();
    await row('second-agent').getByText('The agent is being resumed.').waitFor();
    await page.getByRole('listitem').filter({ hasText: 'agent resumed' }).waitFor();
    await page.getByRole('button', { name: 'Hibernate second-agent' }).waitFor();
  });

  it('says at the top that nothing is stopped, for as long as a stop switch is set', async () => {
    const path = `clients/${system.clientId}/stop-switch`;
    await system.call('PUT', path, { reason: 'a rehearsal' });
    await page.goto(address(system.tokens.user));
    const banner = page.getByRole('alert').filter({ hasText: 'Nothing is stopped or terminated.' });
    await banner
      .getByText(/stop switch of this client was set by an administrator .*: a rehearsal\./)
      .waitFor();
    await system.call('DELETE', path);
    await banner.waitFor({ state: 'hidden' });
  });

  it('says that a token which only reads may not act', async () => {
    const issued = await system.call('POST', 'tokens', { kind: 'user', client_id: system.clientId });
    await page.goto(address(String(issued.body['token'])));
    await page.getByRole('button', { name: 'Keep second-agent alive for 60 minutes' }).click();
    await row('second-agent').getByText('This user token only reads').waitFor();
  });

  it('fits a phone', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await page.goto(address(system.tokens.admin));
    await row('web-shop').waitFor();
    const widths = (await page.evaluate('[document.documentElement.scrollWidth, innerWidth]')) as number[];
    expect(widths[0]).toBeLessThanOrEqual(widths[1]!);
  });

  it('can be used by keyboard alone', async () => {
    await page.goto(system.api.ready.url);
    await page.locator('#token:focus').waitFor();
    await page.keyboard.type(system.tokens.user);
    await page.keyboard.press('Enter');
    await page.getByText('Live', { exact: true }).waitFor();
    await row('second-agent').waitFor();
    const focused = page.locator('button[aria-label="Switch second-agent to another pool"]:focus');
    const reached = async () => (await focused.count()) === 1;
    for (let presses = 0; presses < 30 && !(await reached()); presses++) await page.keyboard.press('Tab');
    expect(await reached()).toBe(true);
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
  });

  async function runningSwitch(): Promise<{ activeSwitch: unknown }> {
    return system.temporal.client.workflow.getHandle(`agent:${agent.id}`).query('agentState');
  }

  async function expectText(role: 'alert', text: string): Promise<void> {
    await page.getByRole(role).filter({ hasText: text }).waitFor();
  }
});

/** For a look at the page: SCREENSHOTS=folder keeps one after each test. */
async function shoot(page: Page, name: string): Promise<void> {
  const folder = process.env['SCREENSHOTS'];
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  const file = `${name.replace(/\W+/g, '-').slice(0, 60)}.png`;
  await page.screenshot({ path: path.join(folder, file), fullPage: true });
}
