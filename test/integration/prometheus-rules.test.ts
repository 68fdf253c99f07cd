/**
 * The alert rules in deploy/prometheus on what running processes really export: scraped from an API and a worker, once
 * while all is well and once in trouble of every kind, and given to promtool as if Prometheus had stored it.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import { anyFreePort } from '../../cli/parts/free-port';
import { fillFleet, setPrice } from '../harness/fleet';
import { findPromtool, promtool, PROMTOOL_MISSING } from '../harness/promtool';
import { NOWHERE, RunningApi } from '../harness/running-api';
import { BEFORE_MINUTES, type InputSeries, inputSeries, type Scrape, scrape } from '../harness/scrape';
import { ROOT } from '../harness/servers';
import { type Simulator, startSimulator } from '../harness/simulator';
import { uniqueAccount } from '../harness/temporal';
import { until } from '../harness/until';

const RULES = path.join(ROOT, 'deploy', 'prometheus', 'rules');
const ruleFiles = readdirSync(RULES).map((name) => path.join(RULES, name));
const rules = ruleFiles.flatMap((file) => {
  const { groups } = parse(readFileSync(file, 'utf8')) as { groups: { rules: Rule[] }[] };
  return groups.flatMap((group) => group.rules);
});

interface Rule {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: Record<string, string>;
}

const dashboard = JSON.parse(
  readFileSync(path.join(ROOT, 'deploy', 'grafana', 'dashboards', 'agents.json'), 'utf8'),
) as { panels: { title: string; targets: { expr: string }[] }[] };

/** What an alert or a person at /metrics needs, and no panel. */
const NOT_SHOWN = [
  'spotkeeper_agents_without_series',
  'spotkeeper_api_requests_total',
  'spotkeeper_fleet_reading_seconds',
  'spotkeeper_mass_silence_age_seconds',
  'spotkeeper_stop_switch_age_seconds',
];

const program = findPromtool();
if (!program) console.warn(`THE ALERT RULES ARE NOT TESTED: ${PROMTOOL_MISSING}`);
const withPromtool = program ? describe : describe.skip;

const ACCOUNT = uniqueAccount();
/** Of its agents no worker asks for EC2 steps. */
const DESERTED = uniqueAccount();

withPromtool('the alert rules', () => {
  let simulator: Simulator;
  let running: RunningApi;
  let folder: string;
  let workerUrl: string;
  /** Of API and worker: all is well, the beginning of the trouble, and in the middle of it. */
  let well: [Scrape, Scrape];
  let begun: [Scrape, Scrape];
  let trouble: [Scrape, Scrape];

  beforeAll(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'spotkeeper-rules-'));
    const workerPort = await anyFreePort();
    workerUrl = `http://127.0.0.1:${workerPort}/metrics`;
    // The worker takes EC2 steps once STS has named its account.
    simulator = await startSimulator('--account', ACCOUNT, '--boot', 'none', '--synthetic', '1');
    running = await RunningApi.start({
      worker: true,
      env: {
        AWS_ACCOUNT_ID: ACCOUNT,
        AWS_ENDPOINT_URL: simulator.ready.cloudUrl,
        AWS_ENDPOINT_URL_EC2: simulator.ready.cloudUrl,
        METRICS_ADDRESS: `127.0.0.1:${workerPort}`,
        METRICS_ACCESS: 'anyone',
        METRICS_CACHE_SECONDS: '0',
        LEASE_SWEEP_MS: '200',
        NOTIFY_ALLOW_PRIVATE: '127.0.0.0/8',
      },
    });
    const fleet = {
      agents: 20,
      clients: 1,
      orphaned: 0,
      silent: 0,
      idle: 0,
      reportedCost: 20,
      account: ACCOUNT,
    };
    await fillFleet(running.sql, fleet);
    // The worker of this test serves us-east-1 alone.
    await running.sql.query(`update agents set region = 'us-east-1', az = 'us-east-1a'`);
    await setPrice(running.sql, 'us-east-1', 'spot', 4, ACCOUNT);
    await setPrice(running.sql, 'us-east-1', 'ondemand', 4, ACCOUNT);
    await until(
      'leases are swept',
      async () => {
        const { rows } = await running.sql.query(`select from sweep_runs where name = 'leases'`);
        return rows.length > 0;
      },
      20_000,
    );
    well = await both();
    await makeTrouble();
  });

  afterAll(async () => {
    await running?.stop();
    await simulator?.stop();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  async function both(): Promise<[Scrape, Scrape]> {
    return [await scrape(`${running.url}/metrics`), await scrape(workerUrl)];
  }

  async function makeTrouble(): Promise<void> {
    const { sql } = running;
    // The worker sweeps and relays no more; what it tries fails.
    await sql.query('revoke select on sweep_runs, outbox from spotkeeper_worker');
    begun = await both();
    await until(
      'a sweep has failed',
      async () =>
        (await scrape(workerUrl)).samples.some(
          ({ name, labels, value }) =>
            name === 'spotkeeper_worker_rounds_total' && /failed.*lease_sweep/.test(labels) && value > 0,
        ),
      20_000,
    );
    await sql.query(
      `update sweep_runs set last_run_at = now() - interval '10 minutes' where name = 'leases'`,
    );
    await sql.query(
      `insert into mass_silences (client_id, agents, silent_agents, began_at, last_lost_at)
       values ('client-0', 20, 15, now() - interval '2 hours', now() - interval '2 hours')`,
    );
    await sql.query(`update agents set status = 'orphaned' where id in ('agent-0', 'agent-1')`);
    await sql.query(`update agents set status = 'silent' where id in ('agent-2', 'agent-3', 'agent-4')`);
    await sql.query(`update leases set state = 'silent' where agent_id ~ '-[0-4]$'`);
    await sql.query(
      `update leases set gpu_utilization_percent = 1, idle_since = now() where agent_id in ('agent-5', 'agent-6')`,
    );
    await sql.query(`update leases set state = 'offline' where agent_id = 'agent-8'`);
    await sql.query(
      `update agents set status = 'hibernated', hibernation = '{"method": "stop"}' where id = 'agent-8'`,
    );
    await sql.query(`update agents set account_id = $1 where id = 'agent-7'`, [DESERTED]);
    await sql.query(
      `insert into stop_switches (scope, client_id, reason, set_by, set_at) values
         ('system', null, 'a rehearsal', 'someone', now() - interval '2 days'),
         ('client:client-0', 'client-0', 'a fault', 'someone', now() - interval '1 hour')`,
    );
    await sql.query(
      `insert into outbox (client_id, workflow_id, signal, payload, created_at, undeliverable) values
         ('client-0', 'agent:nobody', 'heartbeat', '{}', now() - interval '1 hour', true)`,
    );
    await sql.query(
      `with channel as (
         insert into notification_channels (client_id, kind, name, target, shown_target, minimum_severity,
           messages_per_hour, enabled)
         values ('client-0', 'slack', 'on call', 'https://hooks.slack.com/x', 'hooks.slack.com', 'warning', 60, false)
         returning id
       )
       insert into notification_deliveries (id, audience, channel_id, kind, status, message, events)
       select gen_random_uuid(), 'client-0', id, 'events', 'failed', '{}', 1 from channel`,
    );
    for (const type of ['hibernation_failed', 'needs_operator', 'terminations_held']) {
      await sql.query(
        `insert into system_events (event_key, client_id, event_type, severity, message, details, created_at)
         values ($1, 'client-0', $1, 'critical', '', '{"cause": "idle", "outcome": "failed"}', now() - interval '6 seconds')`,
        [type],
      );
    }
    await nobodyReceives();
    await heartbeatMeets('53300'); // No room: shed.
    await heartbeatMeets('22012'); // A fault of ours.
    await sql.query(
      `insert into outbox (client_id, workflow_id, signal, payload, created_at) values
         ('client-0', 'agent:slow', 'heartbeat', '{}', now() - interval '1 hour')`,
    );
    trouble = await both();
  }

  /** Messages by webhook to where nobody listens. */
  async function nobodyReceives(): Promise<void> {
    const address = '/api/clients/client-0/notification-channels';
    const { admin } = running.alpha;
    const made = await running.call('POST', address, admin, {
      kind: 'webhook',
      name: 'away',
      target: `http://${NOWHERE}/`,
      minimum_severity: 'critical',
      enabled: false,
    });
    expect(made.status).toBe(201);
    for (let time = 0; time < 3; time += 1) {
      const tested = await running.call('POST', `${address}/${String(made.body['id'])}/test`, admin);
      expect(tested.body).toMatchObject({ delivered: false });
    }
  }

  /** A heartbeat whose storing fails with this SQLSTATE. */
  async function heartbeatMeets(state: string): Promise<void> {
    const { sql } = running;
    await sql.query(`create or replace function fail() returns trigger language plpgsql as $$
      begin raise exception 'as the test wishes' using errcode = '${state}'; end $$`);
    await sql.query(
      'create or replace trigger fail before update on leases for each row execute function fail()',
    );
    await running.bookAgent('alpha', `beaten-${state}`, [
      { instanceId: `i-${state}`, role: 'primary', incarnation: 1 },
    ]);
    await sql.query(`update agents set status = 'offline', account_id = null where id = $1`, [
      `beaten-${state}`,
    ]);
    const reply = await running.call('POST', `/api/agents/beaten-${state}/heartbeat`, running.alpha.client, {
      instance_id: `i-${state}`,
    });
    expect(reply.status).toBeGreaterThanOrEqual(500);
    await sql.query('drop trigger fail on leases');
  }

  function seriesOf(
    [apiBefore, workerBefore]: [Scrape, Scrape],
    [api, worker]: [Scrape, Scrape],
  ): InputSeries[] {
    return [...inputSeries('api', apiBefore, api), ...inputSeries('worker', workerBefore, worker)];
  }

  /** Runs one test of promtool's, with the rules and these series. */
  async function judge(name: string, series: InputSeries[], test: object): Promise<void> {
    const file = path.join(folder, `${name}.yml`);
    const tests = [{ interval: '1m', input_series: series, ...test }];
    writeFileSync(
      file,
      stringify({ rule_files: ruleFiles, evaluation_interval: '1m', tests }, { lineWidth: 0 }),
    );
    await promtool(program!, ['test', 'rules', file]);
  }

  /** That exactly these alerts fire; each is a name with its labels besides the severity. */
  function firing(alerts: [name: string, labels: Record<string, string>][]) {
    return {
      promql_expr_test: [
        {
          expr: 'ALERTS{alertstate="firing"}',
          eval_time: `${BEFORE_MINUTES + 3}m`,
          exp_samples: alerts.map(([alertname, labels]) => {
            const { severity } = rules.find((rule) => rule.alert === alertname)!.labels;
            const all = Object.entries({ alertname, alertstate: 'firing', severity, ...labels });
            return {
              labels: `ALERTS{${all.map(([key, value]) => `${key}="${value}"`).join(',')}}`,
              value: 1,
            };
          }),
        },
      ],
    };
  }

  const target = { job: 'api', instance: 'api:1' };
  const labelsOf = (n: number) => ({
    client_id: 'client-0',
    agent_id: `agent-${n}`,
    instance_id: `i-${n}`,
    name: `name-${n}`,
  });

  it('are well formed', async () => {
    await promtool(program!, ['check', 'rules', ...ruleFiles]);
  });

  it('export metrics of good form', async () => {
    // The SDK's names are its own, and so are the source's.
    for (const { text } of trouble) await promtool(program!, ['check', 'metrics'], ownOf(text));
  });

  it('stay silent while all is well', async () => {
    await judge('well', seriesOf(well, well), firing([]));
  });

  it('fire in trouble, each for what it is there for, and no other', async () => {
    await judge(
      'trouble',
      seriesOf(begun, trouble),
      firing([
        ['OrphanedInstance', { ...labelsOf(0), ...target }],
        ['OrphanedInstance', { ...labelsOf(1), ...target }],
        ['HighCostIdleInstance', { ...labelsOf(5), ...target }],
        ['HighCostIdleInstance', { ...labelsOf(6), ...target }],
        ['AgentsOrphaned', { client_id: 'client-0' }],
        ['ManyAgentsSilent', {}],
        ['MassSilence', { client_id: 'client-0' }],
        ['IdleGpusCost', {}],
        ['HibernationsFailing', {}],
        ['AgentNeedsOperator', {}],
        ['StopSwitchForgotten', { scope: 'system' }],
        ['TerminationsHeld', {}],
        ['HeartbeatsShed', {}],
        ['HeartbeatsFailing', {}],
        ['OutboxStuck', {}],
        ['OutboxUndeliverable', {}],
        ['LeaseSweepStalled', {}],
        ['AccountWorkerMissing', { account_id: DESERTED, region: 'us-east-1' }],
        ['NotificationsFailing', { kind: 'slack' }],
        ['NotificationsFailing', { kind: 'webhook' }],
        ['NotificationsDelayed', { kind: 'webhook' }],
      ]),
    );
  });

  it('say which instance is orphaned and what to do', async () => {
    await judge('annotations', seriesOf(begun, trouble), {
      alert_rule_test: [
        {
          eval_time: `${BEFORE_MINUTES}m`,
          alertname: 'OrphanedInstance',
          exp_alerts: [0, 1].map((n) => ({
            exp_labels: { severity: 'warning', ...labelsOf(n), ...target },
            exp_annotations: {
              ...rules.find((rule) => rule.alert === 'OrphanedInstance')!.annotations,
              summary: `Instance i-${n} of agent name-${n} is orphaned`,
              command: `npx spotkeeper agent agent-${n}`,
            },
          })),
        },
      ],
    });
  });

  it('work with the queries of the source as they stand', async () => {
    const value = (expr: string, expected: number, labels = '{}') => ({
      expr,
      eval_time: `${BEFORE_MINUTES + 3}m`,
      exp_samples: [{ labels, value: expected }],
    });
    const at = '{job="api",instance="api:1"}';
    const readings = trouble[0].samples.filter(
      ({ name }) => name === 'dumont_agents_gpu_utilization_percent',
    );
    expect(readings).toHaveLength(14);
    const mean = readings.reduce((sum, one) => sum + one.value, 0) / 14;
    await judge('queries', seriesOf(begun, trouble), {
      promql_expr_test: [
        value('dumont_agents_active', 14, `dumont_agents_active${at}`),
        value('sum(dumont_agents_orphaned)', 2),
        value('round(avg(dumont_agents_gpu_utilization_percent), 0.001)', Math.round(mean * 1000) / 1000),
        value('rate(dumont_agents_heartbeat_missed_total[5m]) >= bool 0', 1, at),
      ],
    });
  });

  it('fire when a process is gone, or when nothing can be read', async () => {
    const gone = seriesOf(well, well)
      .filter(
        ({ series }) => !series.includes('job="worker"') && !series.startsWith('spotkeeper_fleet_reading_ok'),
      )
      .concat([
        { series: 'up{job="worker",instance="worker:1"}', values: '0+0x70' },
        { series: 'spotkeeper_fleet_reading_ok{job="api",instance="api:1"}', values: '0+0x70' },
      ]);
    await judge(
      'gone',
      gone,
      firing([
        ['TargetDown', { job: 'worker', instance: 'worker:1' }],
        ['FleetNotRead', {}],
      ]),
    );
  });

  it('fire when no worker gets a task done', async () => {
    const expr = 'count(ALERTS{alertname="WorkerTaskFailing",alertstate="firing",task="lease_sweep"})';
    await judge('stuck', seriesOf(begun, trouble), {
      promql_expr_test: [
        { expr, eval_time: `${BEFORE_MINUTES + 8}m`, exp_samples: [{ labels: '{}', value: 1 }] },
      ],
    });
  });

  it('name no metric that nothing exports', () => {
    const exported = new Set([...trouble[0].samples, ...trouble[1].samples].map(({ name }) => name));
    for (const { alert, expr } of rules) {
      for (const [name] of expr.matchAll(/\b(?:spotkeeper|dumont)_\w+/g))
        expect([alert, name, exported.has(name)]).toEqual([alert, name, true]);
    }
  });

  it('stand beside a dashboard whose panels show what is exported, by queries that work', async () => {
    const exported = new Set([...trouble[0].samples, ...trouble[1].samples].map(({ name }) => name));
    const shown = new Set<string>();
    const queries: { expr: string; title: string }[] = [];
    for (const panel of dashboard.panels) {
      expect([panel.title, panel.targets.length > 0]).toEqual([panel.title, true]);
      for (const { expr } of panel.targets) {
        queries.push({ expr, title: panel.title });
        const names = [...expr.matchAll(/\b(?:spotkeeper|dumont)_\w+/g)].map(([name]) => name);
        for (const name of names)
          expect([panel.title, name, exported.has(name)]).toEqual([panel.title, name, true]);
        for (const name of names) shown.add(name.replace(/_bucket$/, ''));
      }
    }
    const families = [...trouble[0].text.matchAll(/^# TYPE ((?:spotkeeper|dumont)_\w+)/gm)].map(
      ([, name]) => name,
    );
    expect(families.filter((name) => !shown.has(name!)).sort()).toEqual(NOT_SHOWN);
    // promtool evaluates each as a recording rule, and says what it can't parse.
    const file = path.join(folder, 'dashboard.yml');
    const recording = queries.map(({ expr }, at) => ({ record: `panel:query:${at}`, expr }));
    writeFileSync(file, stringify({ groups: [{ name: 'panels', rules: recording }] }, { lineWidth: 0 }));
    await promtool(program!, ['check', 'rules', file]);
  });

  it('say what each alert means, what to do, and by which command', () => {
    for (const { alert, annotations, labels } of rules) {
      for (const key of ['summary', 'meaning', 'action', 'command'])
        expect([alert, key, (annotations[key] ?? '').length > 10]).toEqual([alert, key, true]);
      expect(['warning', 'critical']).toContain(labels.severity);
    }
  });
});

/** The lines of our own metrics, without what the SDK and Node name. */
function ownOf(text: string): string {
  return text
    .split('\n')
    .filter((line) => /^(?:# (?:HELP|TYPE) )?spotkeeper_/.test(line))
    .map((line) => `${line}\n`)
    .join('');
}
