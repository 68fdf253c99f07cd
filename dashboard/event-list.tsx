/** What happened, the newest first. */
import type { AgentSummary, SystemEventView } from '../contracts/http';
import { clock, eventWords } from './words';

const TONES = { info: 'quiet', warning: 'warning', critical: 'bad' } as const;

export interface EventListProps {
  events: SystemEventView[];
  /** To call agents by their names. */
  agents: AgentSummary[];
}

export function EventList({ events, agents }: EventListProps) {
  if (events.length === 0) {
    return <p class="empty">Nothing has happened yet. Events appear here as they come.</p>;
  }
  const names = new Map(agents.map((agent) => [agent.agent_id, agent.logical_agent_id]));
  return (
    <ol class="events" aria-live="polite" aria-relevant="additions">
      {events.map((event) => (
        <li key={event.id} class={`event ${TONES[event.severity]}`}>
          <p class="event-head">
            <strong>{eventWords(event.event_type)}</strong>
            {event.severity !== 'info' && (
              <span class={`pill ${TONES[event.severity]}`}>{event.severity}</span>
            )}
            <span class="event-agent">{names.get(event.agent_id ?? '') ?? ''}</span>
            <time datetime={event.created_at}>{clock(event.created_at, true)}</time>
          </p>
          <p>{event.message}</p>
        </li>
      ))}
    </ol>
  );
}
