/** The page: signing in, then one client's fleet. */
import { useCallback, useEffect, useMemo, useState } from 'preact/hooks';
import type { ClientView } from '../contracts/http';
import { Api, ApiError } from './api';
import { FleetPage } from './fleet-page';
import { forgetToken, keepToken, onTokenInAddress, readToken } from './session';
import { SignIn } from './sign-in';

export function App() {
  const [token, setToken] = useState(readToken);
  const [refusal, setRefusal] = useState<string | null>(null);
  useEffect(() => onTokenInAddress(setToken), []);

  const signIn = useCallback((given: string) => {
    keepToken(given);
    setRefusal(null);
    setToken(given);
  }, []);
  const signOut = useCallback((reason: string | null) => {
    forgetToken();
    setRefusal(reason);
    setToken(null);
  }, []);

  if (token === null) return <SignIn refusal={refusal} onToken={signIn} />;
  return <SignedIn key={token} token={token} onSignOut={signOut} />;
}

interface SignedInProps {
  token: string;
  /** With the reason where it wasn't the person's wish. */
  onSignOut(reason: string | null): void;
}

function SignedIn({ token, onSignOut }: SignedInProps) {
  const api = useMemo(() => new Api(token), [token]);
  const [clients, setClients] = useState<ClientView[] | null>(null);
  const [chosen, setChosen] = useState<string | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [attempt, setAttempt] = useState(1);

  useEffect(() => {
    let stopped = false;
    setError(null);
    api.clients().then(
      (found) => {
        if (!stopped) setClients(found);
      },
      (failure: Error) => {
        if (stopped) return;
        const refused = failure instanceof ApiError && (failure.status === 401 || failure.status === 403);
        if (refused) onSignOut(failure.message);
        else setError(failure.message);
      },
    );
    return () => {
      stopped = true;
    };
  }, [api, attempt, onSignOut]);

  const clientId = chosen ?? clients?.[0]?.id;
  if (error !== null) {
    return (
      <main class="alone">
        <h1>Spotkeeper</h1>
        <p role="alert">{error}</p>
        <button type="button" onClick={() => setAttempt(attempt + 1)}>
          Ask again
        </button>
      </main>
    );
  }
  if (clients === null) {
    return (
      <main class="alone" aria-busy="true">
        <p>Asking the API who you are …</p>
      </main>
    );
  }
  if (clientId === undefined) {
    return (
      <main class="alone">
        <h1>Spotkeeper</h1>
        <p>There is no client yet. An administrator makes one with POST /api/clients.</p>
        <button type="button" onClick={() => onSignOut(null)}>
          Sign out
        </button>
      </main>
    );
  }
  return (
    <FleetPage
      key={clientId}
      api={api}
      clientId={clientId}
      clients={clients}
      onChoose={setChosen}
      onSignOut={onSignOut}
    />
  );
}
