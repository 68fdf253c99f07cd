/** One client's fleet beside what happens to it. */
import { useCallback, useEffect, useState } from 'preact/hooks';
import type { ClientView, SystemEventView } from '../contracts/http';
import type { Api } from './api';
import { EventList } from './event-list';
import { followEvents } from './event-stream';
import { useFleet } from './fleet';
import { FleetTable } from './fleet-table';
import { StopBanner } from './stop-banner';

const KEPT_EVENTS = 100;

export interface FleetPageProps {
  api: Api;
  clientId: string;
  clients: ClientView[];
  onChoose(clientId: string): void;
  onSignOut(reason: string | null): void;
}

export function FleetPage({ api, clientId, clients, onChoose, onSignOut }: FleetPageProps) {
  const fleet = useFleet(api, clientId, onSignOut);
  const [events, setEvents] = useState<SystemEventView[]>([]);
  const [connection, setConnection] = useState<'connecting' | 'live' | 'broken'>('connecting');
  const { refresh } = fleet;

  useEffect(
    () =>
      followEvents(api, {
        onEvent(event) {
          if (event.client_id !== clientId) return;
          setEvents((before) =>
            [event, ...before.filter((one) => one.id !== event.id)].slice(0, KEPT_EVENTS),
          );
          refresh();
        },
        onConnection: setConnection,
        onRefused: onSignOut,
      }),
    [api, clientId, refresh, onSignOut],
  );

  const choose = useCallback(
    (event: Event) => onChoose((event.target as HTMLSelectElement).value),
    [onChoose],
  );
  return (
    <>
      <header class="bar">
        <h1>
          <img src="./icon.svg" alt="" width="28" height="28" /> Spotkeeper
        </h1>
        {clients.length > 1 ? (
          <label class="client">
            Client
            <select value={clientId} onChange={choose}>
              {clients.map((client) => (
                <option key={client.id} value={client.id}>
                  {client.name}
                </option>
              ))}
            </select>
          </label>
        ) : (
          <span class="client">Client {clients[0]?.name ?? clientId}</span>
        )}
        <Connection state={connection} />
        <button type="button" class="quiet" onClick={() => onSignOut(null)}>
          Sign out
        </button>
      </header>
      <main class="columns">
        <section aria-labelledby="fleet-heading">
          <h2 id="fleet-heading">
            Fleet {fleet.agents !== null && <span class="count">{fleet.agents.length}</span>}
          </h2>
          {fleet.error !== null && (
            <p class="message bad" role="alert">
              {fleet.error} What is shown may be out of date; it is asked again every few seconds.
            </p>
          )}
          <StopBanner held={fleet.stopSwitch} />
          <FleetTable api={api} fleet={fleet} />
        </section>
        <section aria-labelledby="events-heading">
          <h2 id="events-heading">Events</h2>
          <EventList events={events} agents={fleet.agents ?? []} />
        </section>
      </main>
    </>
  );
}

const CONNECTIONS = {
  connecting: { tone: 'quiet', words: 'Connecting …' },
  live: { tone: 'good', words: 'Live' },
  broken: { tone: 'warning', words: 'Not connected; trying again' },
} as const;

function Connection({ state }: { state: keyof typeof CONNECTIONS }) {
  const { tone, words } = CONNECTIONS[state];
  return (
    <span class={`pill ${tone}`} role="status">
      {words}
    </span>
  );
}
