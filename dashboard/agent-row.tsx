/** One agent: what it is, where it runs, and what can be done about it. */
import { useRef, useState } from 'preact/hooks';
import type { AgentSummary } from '../contracts/http';
import type { Api } from './api';
import { clock, duration, modeWord, statusWords } from './words';

const KEEP_ALIVE_MINUTES = 60;

export interface AgentRowProps {
  api: Api;
  agent: AgentSummary;
  /** Since the agent's facts were read. */
  passedSeconds: number;
  onChanged(): void;
}

export function AgentRow({ api, agent, passedSeconds, onChanged }: AgentRowProps) {
  const status = statusWords(agent.status);
  const kept = agent.keep_alive_until !== null && Date.parse(agent.keep_alive_until) > Date.now();
  return (
    <tr>
      <th scope="row" data-label="Agent">
        <Linked url={agent.workflow_url} title="Its workflow in the Temporal Web UI">
          {agent.logical_agent_id}
        </Linked>
      </th>
      <td data-label="Status">
        <span class={`pill ${status.tone}`} title={status.meaning}>
          {status.word}
        </span>
        {agent.health === 'unhealthy' && <span class="pill bad">unhealthy</span>}
        {kept && <span class="note">kept alive until {clock(agent.keep_alive_until ?? '')}</span>}
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
          <Linked url={switchUrl(agent)} title="This switch in the Temporal Web UI">
            {`${agent.active_switch.split(':').at(-1) ?? ''} is running`}
          </Linked>
        ) : (
          '–'
        )}
      </td>
      <td data-label="Actions" class="actions">
        <Actions api={api} agent={agent} onChanged={onChanged} />
      </td>
    </tr>
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

/** The page of the switch beside the agent's own: the two differ in the workflow id only. */
function switchUrl({ workflow_url, workflow_id, active_switch }: AgentSummary): string | null {
  if (workflow_url === null || active_switch === null) return null;
  return workflow_url.replace(encodeURIComponent(workflow_id), encodeURIComponent(active_switch));
}

function poolWords({ instance_type: type, mode, az }: AgentSummary): string {
  return `${type ?? 'unknown type'}, ${modeWord(mode)}, ${az ?? 'unknown zone'}`;
}

function heartbeatAge(agent: AgentSummary, passedSeconds: number): string {
  if (agent.seconds_since_heartbeat === null) return 'none yet';
  return `${duration(agent.seconds_since_heartbeat + passedSeconds)} ago`;
}

function Actions({ api, agent, onChanged }: Pick<AgentRowProps, 'api' | 'agent' | 'onChanged'>) {
  const [busy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState<{ tone: 'good' | 'bad'; words: string } | null>(null);
  const question = useRef<HTMLDialogElement>(null);
  /** Asking again after a failure asks for the same switch. */
  const requestId = useRef<string | null>(null);
  const name = agent.logical_agent_id;

  async function act(work: () => Promise<string>): Promise<void> {
    setBusy(true);
    setOutcome(null);
    try {
      setOutcome({ tone: 'good', words: await work() });
      onChanged();
    } catch (error) {
      setOutcome({ tone: 'bad', words: (error as Error).message });
    } finally {
      setBusy(false);
    }
  }

  const keepAlive = () =>
    act(async () => {
      const { valid_for_minutes: minutes } = await api.keepAlive(agent.agent_id, KEEP_ALIVE_MINUTES);
      return `Kept alive for ${minutes} minutes.`;
    });

  const startSwitch = () =>
    act(async () => {
      requestId.current ??= crypto.randomUUID();
      const { switch_number: number } = await api.requestSwitch(agent.agent_id, requestId.current);
      requestId.current = null;
      return `Switch ${number} has started.`;
    });

  return (
    <>
      <button
        type="button"
        disabled={busy || agent.active_switch !== null}
        aria-label={`Switch ${name} to another pool`}
        onClick={() => question.current?.showModal()}
      >
        Switch
      </button>
      <button
        type="button"
        disabled={busy}
        aria-label={`Keep ${name} alive for ${KEEP_ALIVE_MINUTES} minutes`}
        onClick={() => void keepAlive()}
      >
        Keep alive {KEEP_ALIVE_MINUTES} min
      </button>
      <p class={`outcome ${outcome?.tone ?? ''}`} role="status">
        {outcome?.words}
      </p>
      <dialog ref={question} aria-label={`Switch ${name}?`}>
        <form method="dialog">
          <p>
            <strong>Move {name} to another pool?</strong>
          </p>
          <p>
            A new instance is launched and takes over once it is healthy; then{' '}
            {agent.instance_id ?? 'the old one'} is retired.
          </p>
          <div class="dialog-buttons">
            <button type="submit" class="quiet">
              Leave it
            </button>
            <button type="submit" class="primary" onClick={() => void startSwitch()}>
              Switch
            </button>
          </div>
        </form>
      </dialog>
    </>
  );
}
