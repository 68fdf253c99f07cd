/** What callers may do: everything, but for what the control API has denied. The newest rule for a call holds. */
import type { Books } from '../books/books';
import type { PermissionRule } from '../books/settings';
import type { Caller } from './callers';

/** `lacking` as if no policy allowed it, `denied` as if one forbade it. */
export type Verdict = 'allowed' | 'lacking' | 'denied';

/** Whoever has keys may ask whose they are. */
const ALWAYS_ALLOWED = 'sts:GetCallerIdentity';

export class Permissions {
  constructor(private readonly books: Books) {}

  list(): PermissionRule[] {
    return this.books.all('permission').sort((a, b) => a.number - b.number);
  }

  /** Sets the rule for a principal and an action, in place of the one it had. */
  set(rule: Omit<PermissionRule, 'number'>): PermissionRule {
    const numbered = { ...rule, number: (this.list().at(-1)?.number ?? 0) + 1 };
    this.books.commit(this.books.position, [['permission', idOf(rule), numbered]]);
    return numbered;
  }

  clear(): void {
    this.books.commit(
      this.books.position,
      this.list().map((rule) => ['permission', idOf(rule), null]),
    );
  }

  /** @param action `ec2:RunInstances`. */
  verdict(action: string, caller: Caller): Verdict {
    if (action === ALWAYS_ALLOWED) return 'allowed';
    const names = [caller.arn, caller.accessKeyId, caller.roleArn];
    const rule = this.list().findLast(
      (candidate) =>
        covers(candidate.action, action) &&
        (candidate.principal === '*' || names.includes(candidate.principal)),
    );
    if (rule?.effect !== 'deny') return 'allowed';
    return rule.explicit ? 'denied' : 'lacking';
  }
}

function idOf({ principal, action }: Pick<PermissionRule, 'principal' | 'action'>): string {
  return `${principal} ${action}`;
}

/** IAM's pattern: `*` is any run of characters, and case doesn't count. */
function covers(pattern: string, action: string): boolean {
  const source = pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*');
  return new RegExp(`^${source}$`, 'i').test(action);
}
