/** What a start prints once everything serves. */
import path from 'node:path';

export interface SummaryFacts {
  apiUrl: string;
  temporalAddress: string;
  temporalNamespace: string;
  temporalUiUrl: string | null;
  /** The `temporal` program as a shell would take it; null if we know of none. */
  temporalProgram: string | null;
  /** Without its password. */
  databaseUrl: string;
  cloudUrl: string | null;
  awsAccount: string | null;
  clientId: string;
  /** Signs the person in to the dashboard. */
  userToken: string;
  stateFolder: string;
  agents: number;
  speed: number;
  traces: string | null;
}

export function summary(facts: SummaryFacts): string {
  const rows: [string, string][] = [
    ['API', facts.apiUrl],
    ['Dashboard', `${facts.apiUrl}/#token=${facts.userToken}`],
    ['Temporal Web UI', facts.temporalUiUrl ?? '(that of your own server)'],
    ['Temporal', `${facts.temporalAddress}, namespace ${facts.temporalNamespace}`],
    ['Database', facts.databaseUrl],
    ['Cloud', facts.cloudUrl ? `${facts.cloudUrl} (simulated)` : `AWS account ${facts.awsAccount}`],
    ['State and logs', facts.stateFolder],
  ];
  return [table(rows), '', ...queries(facts), ...(facts.cloudUrl ? ['', ...demo(facts)] : [])].join('\n');
}

export function table(rows: [string, string][]): string {
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column as 0 | 1].length)));
  const rule = (left: string, middle: string, right: string) =>
    left + widths.map((width) => '─'.repeat(width + 2)).join(middle) + right;
  const lines = rows.map(
    (row) => `│ ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' │ ')} │`,
  );
  return [rule('┌', '┬', '┐'), ...lines, rule('└', '┴', '┘')].join('\n');
}

function queries(facts: SummaryFacts): string[] {
  const temporal = facts.temporalProgram ?? 'temporal';
  const target = `--address ${facts.temporalAddress}${facts.temporalNamespace === 'default' ? '' : ` --namespace ${facts.temporalNamespace}`}`;
  const run = path.join(facts.stateFolder, 'run.json');
  return [
    'Look in from another terminal:',
    `  ${temporal} workflow list ${target} --query 'ClientId="${facts.clientId}"'`,
    `  ${temporal} workflow query ${target} --type agentState --workflow-id 'agent:…'`,
    `  psql "$(node -p 'JSON.parse(fs.readFileSync(process.argv[1])).databaseUrl' ${shellWord(run)})"`,
    `Addresses and tokens for programs are in ${run}`,
  ];
}

function demo(facts: SummaryFacts): string[] {
  const market = facts.traces ? `the recorded markets of ${facts.traces}` : 'a synthetic market';
  const fleet = facts.agents === 1 ? '1 agent runs' : `${facts.agents} agents run`;
  return [
    `${fleet} on ${market}.`,
    facts.speed === 1
      ? 'Everything takes as long as it would on EC2; npm start -- --fresh --speed 60 shows an hour in a minute.'
      : `Speed ${facts.speed}: the market's ticks, boot and image times, the notice and every policy duration are divided by ${facts.speed} (Temporal's timers run in real time).`,
  ];
}

/** How to bring an instance of a real account under control. */
export function installation(apiUrl: string, clientToken: string): string {
  const userData = JSON.stringify({
    spotkeeper: { server_url: apiUrl, logical_agent_id: 'my-workload', client_token: clientToken },
  });
  return [
    'To take an instance under control, install the agent on it (Node.js 20.19 or newer) with this user data, its own logical_agent_id each:',
    `  ${userData}`,
    `  curl -fsSO ${apiUrl}/downloads/agent/latest/spot-agent && node spot-agent`,
  ].join('\n');
}

export function shellWord(text: string): string {
  return /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
