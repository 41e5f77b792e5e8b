/** Flags as the values they stand for: what is wrong is said before anything is started, in the words of the flag. */
import { nearest } from '../cli/nearest.ts';
import { parseDuration } from '../clock/duration.ts';
import { KnownError } from '../errors/known-error.ts';
import { familyOf, isIp, isUnspecified, parseCidr } from '../ip/ip.ts';

export type FlagValues = Readonly<Record<string, string | boolean | undefined>>;

/** Every method but `isSet` throws USAGE. A flag that was left out is an empty text. */
export class FlagReader<Name extends string = string> {
  readonly #values: FlagValues;
  readonly #called: (name: Name) => string;

  /** `called`: what the command calls a flag that its reader knows by another name. */
  constructor(values: FlagValues, called: (name: Name) => string = (name) => name) {
    this.#values = values;
    this.#called = called;
  }

  /** As it was given, or preset; undefined for one that was left out. */
  given(name: Name): string | undefined {
    const value = this.#values[name];
    return value === undefined ? undefined : String(value);
  }

  text(name: Name): string {
    return String(this.#values[name] ?? '');
  }

  /** What is left out or empty is undefined. */
  optional(name: Name): string | undefined {
    return this.text(name) || undefined;
  }

  isSet(name: Name): boolean {
    return this.#values[name] === true;
  }

  /** Words with commas between them, or none. */
  list(name: Name): string[] {
    return this.text(name).split(',').filter(Boolean);
  }

  /** A whole number from `min` to `max`. */
  number(
    name: Name,
    min: number,
    max: number,
    why: string = `it is no number from ${min} to ${max}`,
    example: string = String(min),
  ): number {
    const text = this.text(name);
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max) throw this.#refuse(name, why, example);
    return value;
  }

  /** Any number from 0 to `max`. */
  fraction(name: Name, max: number): number {
    const text = this.text(name);
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (!(value >= 0 && value <= max)) throw this.#refuse(name, `it is no number from 0 to ${max}`, String(max / 10));
    return value;
  }

  port(name: Name): number {
    return this.number(name, 1, 65_535, 'it is no port', '6443');
  }

  /** Whole seconds of a duration as Go writes it, such as `48h`, from `min` to `max`, or 0. */
  seconds(name: Name, min: number, max: number): number {
    const ms = parseDuration(this.text(name));
    if (ms === undefined) throw this.#refuse(name, 'it is no duration', '48h');
    const seconds = Math.floor(ms / 1000);
    if ((seconds < min || seconds > max) && ms !== 0) throw this.#refuse(name, `it is not between ${min} and ${max} seconds`, '48h');
    return seconds;
  }

  cidr(name: Name): string {
    return this.#cidr(name, this.text(name));
  }

  /** Ranges with commas between them, or none. */
  cidrs(name: Name): string[] {
    return this.list(name).map((text) => this.#cidr(name, text));
  }

  /** One range, or one of each family. */
  familyCidrs(name: Name): string[] {
    const texts = this.cidrs(name);
    if (texts.length === 0 || new Set(texts.map(familyOf)).size < texts.length)
      throw this.#refuse(name, 'it is not one range, or one of each family', '10.96.0.0/16,fd00:10:96::/112');
    return texts;
  }

  /** An address; empty where that means something. */
  ip(name: Name): string {
    const text = this.text(name);
    if (text && !isIp(text)) throw this.#refuse(name, 'it is no address', '192.0.2.10');
    return text;
  }

  /** Addresses with commas between them. */
  ips(name: Name): string[] {
    for (const text of this.list(name)) if (!isIp(text)) throw this.#refuse(name, 'it is no address', '192.0.2.10');
    return this.list(name);
  }

  /** Addresses of this machine, one or one of each family; undefined as `ownIp` has it. */
  ownIps(name: Name): string[] | undefined {
    const ips = this.ips(name);
    if (new Set(ips.map(familyOf)).size < ips.length)
      throw this.#refuse(name, 'it is not one address, or one of each family', '192.0.2.10,2001:db8::10');
    const own = ips.filter((ip) => !isUnspecified(ip));
    return own.length > 0 ? own : undefined;
  }

  /** An address of this machine. `0.0.0.0` and `::` mean, as leaving it out does, that it is to be found out. */
  ownIp(name: Name): string | undefined {
    const ip = this.ip(name);
    return isUnspecified(ip) ? undefined : ip || undefined;
  }

  /** A regular expression, as text; or empty. */
  regex(name: Name): string {
    try {
      return new RegExp(this.text(name)) && this.text(name);
    } catch {
      throw this.#refuse(name, 'it is no regular expression', '^eth');
    }
  }

  /** What a list such as `*,-scheduler` leaves of `known`; `*` does not mean those `onRequest`. */
  choice<T extends string>(name: Name, known: readonly T[], onRequest: readonly string[] = []): T[] {
    return choose(this.#called(name), this.text(name), known, onRequest);
  }

  #cidr(name: Name, text: string): string {
    if (!text.includes('/') || !parseCidr(text)) throw this.#refuse(name, 'it is no range of addresses', '10.96.0.0/16', text);
    return text;
  }

  #refuse(name: Name, why: string, example: string, text: string = this.text(name)): KnownError {
    const flag = `--${this.#called(name)}`;
    return new KnownError('USAGE', `Cannot use ${flag}="${text}": ${why}`, { hint: `Write it as ${flag}=${example}` });
  }
}

/**
 * What a list such as `*,-scheduler` leaves of `known`, as kube-controller-manager reads --controllers: `*` is all of them, `name` one,
 * `-name` all but that one when `*` stands in the list too; `*` does not mean those `onRequest`. Throws USAGE for a name that nothing has.
 */
export function choose<T extends string>(flag: string, text: string, known: readonly T[], onRequest: readonly string[] = []): T[] {
  const words = text.split(',').filter(Boolean);
  for (const word of words) {
    const name = word.replace(/^-/, '');
    if (word === '*' || known.some((one) => one === name)) continue;
    const near = nearest(name, known);
    throw new KnownError('USAGE', `Cannot use --${flag}="${text}": there is no "${name}"`, {
      hint: near === undefined ? `There are ${known.join(', ')}` : `Did you mean "${near}"? There are ${known.join(', ')}`,
    });
  }
  const isMeant = (name: T): boolean => words.includes(name) || (words.includes('*') && !onRequest.includes(name));
  return known.filter((name) => !words.includes(`-${name}`) && isMeant(name));
}
