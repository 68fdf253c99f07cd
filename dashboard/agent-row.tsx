/** One agent: what it is, where it runs, and what stands before it. */
import type { AgentSummary } from '../contracts/http';
import { AgentActions } from './agent-actions';
import type { Api } from './api';
import { clock, countdown, duration, hibernationWords, modeWord, statusWords } from './words';

export interface AgentRowProps {
  api: Api;
  agent: AgentSummary;
  /** Since the agent's facts were read. */
  passedSeconds: number;
  onChanged(): void;
}

export function AgentRow({ api, agent, passedSeconds, onChanged }: AgentRowProps) {
  return (
    <tr>
      <th scope="row" data-label="Agent">
        <Linked url={agent.workflow_url} title="Its workflow in the Temporal Web UI">
          {agent.logical_agent_id}
        </Linked>
      </th>
      <td data-label="Status">
        <Status agent={agent} passedSeconds={passedSeconds} />
      </td>
      <td data-label="Incarnation" class="number">
        {agent.incarnation}
      </td>
      <td data-label="Instance">
        {agent.instance_id ? (
          <>
            <code>{agent.instance_id}</code>
            <span class="note">{poolWords(agent)}</span>
          </>
        ) : (
          'none at the moment'
        )}
      </td>
      <td data-label="Heartbeat">{heartbeatAge(agent, passedSeconds)}</td>
      <td data-label="Switch">
        {agent.active_switch ? (
          <Linked url={urlOf(agent, agent.active_switch)} title="This switch in the Temporal Web UI">
            {`${agent.active_switch.split(':').at(-1) ?? ''} is running`}
          </Linked>
        ) : (
          '–'
        )}
      </td>
      <td data-label="Actions" class="actions">
        <AgentActions api={api} agent={agent} onChanged={onChanged} />
      </td>
    </tr>
  );
}

function Status({ agent, passedSeconds }: Pick<AgentRowProps, 'agent' | 'passedSeconds'>) {
  const status = statusWords(agent.status);
  const { idle_warning: warning, hibernation, keep_alive_until: keptUntil } = agent;
  const keptSeconds = keptUntil === null ? 0 : (Date.parse(keptUntil) - Date.now()) / 1000;
  return (
    <>
      <span class={`pill ${status.tone}`} title={status.meaning}>
        {status.word}
      </span>
      {agent.health === 'unhealthy' && <span class="pill bad">unhealthy</span>}
      {agent.protected && (
        <span class="pill good" title="No policy stops or deletes it.">
          protected
        </span>
      )}
      {warning && (
        <span class="note warned">
          hibernated in {countdown(warning.seconds_left - passedSeconds)}: {warning.reason}
        </span>
      )}
      {hibernation && (
        <span class="note">
          <Linked url={urlOf(agent, hibernation.workflow_id)} title="This workflow in the Temporal Web UI">
            {hibernationWords(hibernation)}
          </Linked>
          : {hibernation.message}
        </span>
      )}
      {keptSeconds > 0 && (
        <span class="note">
          kept alive until {clock(keptUntil ?? '')}, {duration(keptSeconds)} more
        </span>
      )}
    </>
  );
}

function Linked({ url, title, children }: { url: string | null; title: string; children: string }) {
  if (url === null) return <>{children}</>;
  return (
    <a href={url} title={title} target="_blank" rel="noreferrer">
      {children}
    </a>
  );
}

/** The page of a workflow beside the agent's own: the two differ in the workflow id only. */
function urlOf({ workflow_url, workflow_id }: AgentSummary, other: string): string | null {
  if (workflow_url === null) return null;
  return workflow_url.replace(encodeURIComponent(workflow_id), encodeURIComponent(other));
}

function poolWords({ instance_type: type, mode, az }: AgentSummary): string {
  return `${type ?? 'unknown type'}, ${modeWord(mode)}, ${az ?? 'unknown zone'}`;
}

function heartbeatAge(agent: AgentSummary, passedSeconds: number): string {
  if (agent.seconds_since_heartbeat === null) return 'none yet';
  return `${duration(agent.seconds_since_heartbeat + passedSeconds)} ago`;
}
