/** The agents, one row each. */
import { useEffect, useState } from 'preact/hooks';
import { AgentRow } from './agent-row';
import type { Api } from './api';
import type { Fleet } from './fleet';

const COLUMNS = ['Agent', 'Status', 'Incarnation', 'Instance and pool', 'Heartbeat', 'Switch', 'Actions'];

export function FleetTable({ api, fleet }: { api: Api; fleet: Fleet }) {
  const nowMs = useSeconds();
  if (fleet.agents === null) return fleet.error === null ? <p class="empty">Reading the fleet …</p> : null;
  if (fleet.agents.length === 0) {
    return (
      <p class="empty">
        This client has no agents yet. One appears as soon as an instance registers with the client’s token.
      </p>
    );
  }
  const passedSeconds = Math.max(0, (nowMs - fleet.readAtMs) / 1000);
  return (
    <>
      <table class="card fleet">
        <caption class="hidden">Agents of this client</caption>
        <thead>
          <tr>
            {COLUMNS.map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {fleet.agents.map((agent) => (
            <AgentRow
              key={agent.agent_id}
              api={api}
              agent={agent}
              passedSeconds={passedSeconds}
              onChanged={fleet.refresh}
            />
          ))}
        </tbody>
      </table>
      {fleet.hasMore && (
        <button type="button" class="quiet" onClick={fleet.showMore}>
          Show more agents
        </button>
      )}
    </>
  );
}

/** The time, told once a second, so that ages grow. */
function useSeconds(): number {
  const [nowMs, setNowMs] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNowMs(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return nowMs;
}
