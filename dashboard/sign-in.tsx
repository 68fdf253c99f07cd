/** Asks for a token. */
import { useEffect, useRef, useState } from 'preact/hooks';

export interface SignInProps {
  /** Why the token before this was not taken, or null. */
  refusal: string | null;
  onToken(token: string): void;
}

export function SignIn({ refusal, onToken }: SignInProps) {
  const field = useRef<HTMLInputElement>(null);
  const [complaint, setComplaint] = useState<string | null>(null);
  useEffect(() => field.current?.focus(), []);

  function submit(event: Event): void {
    event.preventDefault();
    const token = field.current?.value.trim() ?? '';
    if (token === '') setComplaint('Enter a token first.');
    else onToken(token);
  }

  const message = complaint ?? refusal;
  return (
    <main class="alone">
      <form class="card sign-in" onSubmit={submit} noValidate>
        <h1>Spotkeeper</h1>
        <p>Enter a user, client or administrator token. It is kept in this tab only.</p>
        <label for="token">Token</label>
        <input
          id="token"
          ref={field}
          type="password"
          autocomplete="off"
          spellcheck={false}
          aria-invalid={message !== null}
          aria-describedby={message === null ? undefined : 'token-message'}
          onInput={() => setComplaint(null)}
        />
        {message !== null && (
          <p id="token-message" class="message bad" role="alert">
            {message}
          </p>
        )}
        <button type="submit" class="primary">
          Show the fleet
        </button>
      </form>
    </main>
  );
}
