/** The checks of a call's parameters that STS makes before it looks at anything, and names all at once. */
import type { QueryParameters } from '../ec2/query-parameters';
import { StsError } from './errors';

interface TextRule {
  readonly min: number;
  readonly max: number;
  readonly pattern?: string;
  readonly required?: boolean;
}

export class Constraints {
  readonly #failures: string[] = [];

  constructor(private readonly parameters: QueryParameters) {}

  /** The parameter, or an empty text; whether it may be used is for `check` to say. */
  text(name: string, { min, max, pattern, required = false }: TextRule): string {
    const value = this.parameters.flat.get(name) ?? null;
    if (value === null) {
      if (required) this.#fail('null', name, 'not be null');
      return '';
    }
    const quoted = `'${value}'`;
    if (pattern !== undefined && !new RegExp(`^${pattern}$`).test(value)) {
      this.#fail(quoted, name, `satisfy regular expression pattern: ${pattern}`);
    }
    if (value.length < min) this.#fail(quoted, name, `have length greater than or equal to ${min}`);
    if (value.length > max) this.#fail(quoted, name, `have length less than or equal to ${max}`);
    return value;
  }

  /** Null when it isn't there. @throws StsError for what is no number. */
  integer(name: string, { min, max }: { min: number; max: number }): number | null {
    const value = this.parameters.text(name);
    if (value === null) return null;
    if (!/^[+-]?\d{1,9}$/.test(value)) {
      throw new StsError('MalformedInput', `${value} for ${name} can not be converted to an Integer`);
    }
    const number = Number(value);
    if (number < min) this.#fail(`'${number}'`, name, `have value greater than or equal to ${min}`);
    if (number > max) this.#fail(`'${number}'`, name, `have value less than or equal to ${max}`);
    return number;
  }

  /** @throws StsError ValidationError when anything failed. */
  check(): void {
    const count = this.#failures.length;
    if (count === 0) return;
    throw new StsError(
      'ValidationError',
      `${count} validation error${count === 1 ? '' : 's'} detected: ${this.#failures.join('; ')}`,
    );
  }

  #fail(value: string, name: string, must: string): void {
    const member = name.charAt(0).toLowerCase() + name.slice(1);
    this.#failures.push(`Value ${value} at '${member}' failed to satisfy constraint: Member must ${must}`);
  }
}
