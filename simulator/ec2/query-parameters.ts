/** The parameters of one call in EC2's query protocol: flat names such as `Filter.1.Value.2`, read as what they mean. */
import { Ec2Error, invalid, missing } from './errors';

export class QueryParameters {
  readonly #flat: ReadonlyMap<string, string>;
  readonly #prefix: string;

  constructor(flat: ReadonlyMap<string, string>, prefix = '') {
    this.#flat = flat;
    this.#prefix = prefix;
  }

  /** @throws Ec2Error when a name comes twice. */
  static parse(form: string): QueryParameters {
    const flat = new Map<string, string>();
    for (const [name, value] of new URLSearchParams(form)) {
      if (flat.has(name)) {
        throw new Ec2Error('MalformedQueryString', `The parameter ${name} is given more than once`);
      }
      flat.set(name, value);
    }
    return new QueryParameters(flat);
  }

  get flat(): ReadonlyMap<string, string> {
    return this.#flat;
  }

  /** @throws Ec2Error UnknownParameter for a name whose first part isn't listed. */
  allowOnly(names: readonly string[]): void {
    for (const name of this.#flat.keys()) {
      const first = name.split('.')[0] as string;
      if (
        first !== 'Action' &&
        first !== 'Version' &&
        first !== 'DryRun' &&
        !first.startsWith('X-Amz-') &&
        !names.includes(first)
      ) {
        throw new Ec2Error('UnknownParameter', `The parameter ${first} is not recognized`);
      }
    }
  }

  /** Null when it isn't there or empty. */
  text(name: string): string | null {
    return this.#flat.get(this.#prefix + name) || null;
  }

  required(name: string): string {
    const value = this.text(name);
    if (value === null) throw missing(this.#prefix + name);
    return value;
  }

  /** Whether it was sent, be it empty. */
  has(name: string): boolean {
    const full = this.#prefix + name;
    return [...this.#flat.keys()].some((key) => key === full || key.startsWith(`${full}.`));
  }

  integer(name: string, { min, max }: { min: number; max: number }): number | null {
    const value = this.text(name);
    if (value === null) return null;
    const number = /^[+-]?\d{1,15}$/.test(value) ? Number(value) : NaN;
    if (Number.isNaN(number))
      throw invalid(`Invalid value '${value}' for ${this.#prefix + name}. It must be an integer`);
    if (number < min || number > max) {
      throw invalid(
        `Value ( ${value} ) for parameter ${this.#prefix + name} is invalid. Expecting a value from ${min} to ${max}`,
      );
    }
    return number;
  }

  boolean(name: string): boolean | null {
    const value = this.text(name);
    if (value === null) return null;
    if (value === 'true') return true;
    if (value === 'false') return false;
    throw invalid(`Invalid value '${value}' for ${this.#prefix + name}. It must be true or false`);
  }

  moment(name: string): Date | null {
    const value = this.text(name);
    if (value === null) return null;
    const moment = new Date(value);
    if (!/^\d{4}-\d\d-\d\d/.test(value) || Number.isNaN(moment.getTime())) {
      throw invalid(
        `Value ( ${value} ) for parameter ${this.#prefix + name} is invalid. It must be an ISO 8601 time`,
      );
    }
    return moment;
  }

  /** One of several values. */
  choice<C extends string>(name: string, choices: readonly C[]): C | null {
    const value = this.text(name);
    if (value === null) return null;
    const chosen = choices.find((choice) => choice === value);
    if (chosen === undefined) {
      throw invalid(
        `Invalid value '${value}' for ${this.#prefix + name}. Valid values: ${choices.join(', ')}`,
      );
    }
    return chosen;
  }

  /** `Name.1`, `Name.2`, … in their order. */
  list(name: string): string[] {
    return this.#indexes(name).map((index) => this.#flat.get(`${this.#prefix}${name}.${index}`) ?? '');
  }

  /** `Name.1.…`, `Name.2.…` in their order. */
  groups(name: string): QueryParameters[] {
    return this.#indexes(name).map((index) => this.group(`${name}.${index}`));
  }

  group(name: string): QueryParameters {
    return new QueryParameters(this.#flat, `${this.#prefix}${name}.`);
  }

  /** All that is in this group, by names within it. */
  entries(): Record<string, string> {
    const inside = [...this.#flat].filter(([name]) => name.startsWith(this.#prefix));
    return Object.fromEntries(inside.map(([name, value]) => [name.slice(this.#prefix.length), value]));
  }

  #indexes(name: string): number[] {
    const start = `${this.#prefix}${name}.`;
    const indexes = new Set<number>();
    for (const key of this.#flat.keys()) {
      if (!key.startsWith(start)) continue;
      const index = key.slice(start.length).split('.')[0] as string;
      if (!/^\d{1,9}$/.test(index)) {
        throw new Ec2Error(
          'InvalidQueryParameter',
          `The parameter ${key} is malformed: ${index} is not a number`,
        );
      }
      indexes.add(Number(index));
    }
    return [...indexes].sort((a, b) => a - b);
  }
}
