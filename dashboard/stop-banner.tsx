/** While a stop switch holds the client's machines, whoever looks must know. */
import type { StopSwitchView } from '../contracts/http';
import { clock } from './words';

export function StopBanner({ held }: { held: StopSwitchView | null }) {
  if (!held?.holds) return null;
  return (
    <div class="message warning" role="alert">
      <strong>Nothing is stopped or terminated.</strong>{' '}
      {held.switches.map(({ scope, reason, set_by, set_at }) => (
        <span key={scope}>
          The stop switch of {scope === 'system' ? 'the whole system' : 'this client'} was set by {set_by} at{' '}
          {clock(set_at)}: {reason}.{' '}
        </span>
      ))}
    </div>
  );
}
