/**
 * The token of this tab. It comes from the sign-in form or from the address (`#token=…`, as a start prints it), is kept
 * for the tab's life only, and is taken out of the address at once, so that it isn't copied with it.
 */
const KEY = 'spotkeeper.token';

export function readToken(): string | null {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const given = fragment.get('token')?.trim();
  if (given) {
    keepToken(given);
    history.replaceState(null, '', location.pathname + location.search);
    return given;
  }
  return sessionStorage.getItem(KEY);
}

export function keepToken(token: string): void {
  sessionStorage.setItem(KEY, token);
}

export function forgetToken(): void {
  sessionStorage.removeItem(KEY);
}

/** Calls `use` when somebody opens another link with a token in this tab. */
export function onTokenInAddress(use: (token: string) => void): () => void {
  const look = () => {
    if (!location.hash.includes('token=')) return;
    const token = readToken();
    if (token) use(token);
  };
  addEventListener('hashchange', look);
  return () => removeEventListener('hashchange', look);
}
