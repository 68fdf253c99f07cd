/** What a person can do about one agent. What ends something is asked twice. */
import { useRef, useState } from 'preact/hooks';
import type { AgentSummary } from '../contracts/http';
import type { Api } from './api';

const KEEP_ALIVE_MINUTES = 60;

export interface AgentActionsProps {
  api: Api;
  agent: AgentSummary;
  onChanged(): void;
}

export function AgentActions({ api, agent, onChanged }: AgentActionsProps) {
  const [busy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState<{ tone: 'good' | 'bad'; words: string } | null>(null);
  /** Asking again after a failure asks for the same switch. */
  const requestId = useRef<string | null>(null);
  const { agent_id: id, logical_agent_id: name, status } = agent;
  const machine = agent.instance_id ?? 'its machine';
  const asleep = status === 'hibernated';
  const settled = !busy && status !== 'hibernating';

  function act(work: () => Promise<string>): () => Promise<void> {
    return async () => {
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
    };
  }

  const startSwitch = act(async () => {
    requestId.current ??= crypto.randomUUID();
    const { switch_number: number } = await api.requestSwitch(id, requestId.current);
    requestId.current = null;
    return `Switch ${number} has started.`;
  });
  const keepAlive = act(async () => {
    const { valid_for_minutes: minutes } = await api.keepAlive(id, KEEP_ALIVE_MINUTES);
    return `Kept alive for ${minutes} minutes.`;
  });
  const hibernate = act(async () => `${(await api.hibernate(id)).message}.`);
  const resume = act(async () => `${(await api.resume(id)).message}.`);
  const protect = act(async () => `${(await api.protect(id, !agent.protected)).message}.`);

  return (
    <>
      {asleep ? (
        <button
          type="button"
          disabled={busy || agent.hibernation?.phase === 'resuming'}
          aria-label={`Resume ${name}`}
          onClick={() => void resume()}
        >
          Resume
        </button>
      ) : (
        <>
          <Confirmed
            label={`Switch ${name} to another pool`}
            word="Switch"
            disabled={!settled || agent.active_switch !== null}
            question={`Move ${name} to another pool?`}
            consequence={`A new instance is launched and takes over once it is healthy; then ${machine} is retired.`}
            onYes={startSwitch}
          />
          <button
            type="button"
            disabled={busy}
            aria-label={`Keep ${name} alive for ${KEEP_ALIVE_MINUTES} minutes`}
            onClick={() => void keepAlive()}
          >
            Keep alive {KEEP_ALIVE_MINUTES} min
          </button>
          <Confirmed
            label={`Hibernate ${name}`}
            word="Hibernate"
            disabled={!settled || agent.active_switch !== null || agent.instance_id === null}
            question={`Hibernate ${name}?`}
            consequence={`${machine} is stopped, and what runs on it with it; a machine that can't be stopped is saved as an image and terminated. The agent can be resumed.`}
            onYes={hibernate}
          />
        </>
      )}
      <button
        type="button"
        class="quiet"
        disabled={busy}
        aria-pressed={agent.protected}
        aria-label={agent.protected ? `Let policies stop ${name} again` : `Protect ${name} from policies`}
        onClick={() => void protect()}
      >
        {agent.protected ? 'Unprotect' : 'Protect'}
      </button>
      <p class={`outcome ${outcome?.tone ?? ''}`} role="status">
        {outcome?.words}
      </p>
    </>
  );
}

interface ConfirmedProps {
  label: string;
  /** On both buttons. */
  word: string;
  disabled: boolean;
  question: string;
  consequence: string;
  onYes(): Promise<void>;
}

function Confirmed({ label, word, disabled, question, consequence, onYes }: ConfirmedProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  return (
    <>
      <button
        type="button"
        disabled={disabled}
        aria-label={label}
        onClick={() => dialog.current?.showModal()}
      >
        {word}
      </button>
      <dialog ref={dialog} aria-label={question}>
        <form method="dialog">
          <p>
            <strong>{question}</strong>
          </p>
          <p>{consequence}</p>
          <div class="dialog-buttons">
            <button type="submit" class="quiet">
              Leave it
            </button>
            <button type="submit" class="primary" onClick={() => void onYes()}>
              {word}
            </button>
          </div>
        </form>
      </dialog>
    </>
  );
}
