/** A client's agents as the page knows them: read at the start, after each event, and every few seconds besides. */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { AgentSummary, StopSwitchView } from '../contracts/http';
import { type Api, ApiError } from './api';

const REFRESH_MS = 5_000;
/** Events come in bursts; one reading serves them all. */
const BURST_MS = 250;

export interface Fleet {
  /** Null until the first answer. */
  agents: AgentSummary[] | null;
  /** When `agents` was read, by this machine's clock. */
  readAtMs: number;
  hasMore: boolean;
  /** Null until the first answer. */
  stopSwitch: StopSwitchView | null;
  /** Why the newest reading failed; the agents are then as they were before. */
  error: string | null;
  showMore(): void;
  /** Reads again soon. */
  refresh(): void;
}

/** @param onRefused the token isn't taken any more. */
export function useFleet(api: Api, clientId: string, onRefused: (sentence: string) => void): Fleet {
  const [read, setRead] = useState<Pick<Fleet, 'agents' | 'readAtMs' | 'hasMore' | 'stopSwitch' | 'error'>>({
    agents: null,
    readAtMs: 0,
    hasMore: false,
    stopSwitch: null,
    error: null,
  });
  const pages = useRef(1);
  const wanted = useRef<() => void>(() => undefined);

  useEffect(() => {
    let stopped = false;
    let timer = setTimeout(() => undefined);
    let reading = false;
    let again = false;

    async function readNow(): Promise<void> {
      clearTimeout(timer);
      if (reading) {
        again = true;
        return;
      }
      reading = true;
      again = false;
      try {
        const [{ agents, hasMore }, stopSwitch] = await Promise.all([
          readPages(api, clientId, pages.current),
          api.stopSwitch(clientId),
        ]);
        if (!stopped) setRead({ agents, hasMore, stopSwitch, readAtMs: Date.now(), error: null });
      } catch (error) {
        if (stopped) return;
        if (error instanceof ApiError && error.status === 401) onRefused(error.message);
        else setRead((before) => ({ ...before, error: (error as Error).message }));
      } finally {
        reading = false;
        if (!stopped) timer = setTimeout(() => void readNow(), again ? BURST_MS : REFRESH_MS);
      }
    }

    wanted.current = () => {
      clearTimeout(timer);
      if (reading) again = true;
      else timer = setTimeout(() => void readNow(), BURST_MS);
    };
    void readNow();
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }, [api, clientId, onRefused]);

  const refresh = useCallback(() => wanted.current(), []);
  const showMore = useCallback(() => {
    pages.current += 1;
    wanted.current();
  }, []);
  return { ...read, showMore, refresh };
}

async function readPages(
  api: Api,
  clientId: string,
  pages: number,
): Promise<{ agents: AgentSummary[]; hasMore: boolean }> {
  const agents: AgentSummary[] = [];
  let after: string | null = null;
  for (let page = 0; page < pages; page++) {
    const list = await api.agents(clientId, after);
    agents.push(...list.agents);
    after = list.next_after;
    if (after === null) break;
  }
  agents.sort((one, other) =>
    one.logical_agent_id.localeCompare(other.logical_agent_id, undefined, { numeric: true }),
  );
  return { agents, hasMore: after !== null };
}
