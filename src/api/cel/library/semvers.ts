/** Semantic versions (semver.org). */
import type { Environment } from '@marcbachmann/cel-js';
import type { Comparable } from '../equal.ts';
import { RuleError } from '../meter.ts';
import { register } from './register.ts';

/** A longer text is no version of anything. */
const longest = 1_000;
const number = '(0|[1-9]\\d{0,18})';
const pattern = new RegExp(`^${number}\\.${number}\\.${number}(?:-([0-9A-Za-z.-]+))?(?:\\+([0-9A-Za-z.-]+))?$`);

class Semver implements Comparable {
  readonly numbers: readonly [bigint, bigint, bigint];
  readonly pre: readonly string[];

  constructor(numbers: readonly [bigint, bigint, bigint], pre: readonly string[]) {
    this.numbers = numbers;
    this.pre = pre;
  }

  /** −1, 0 or 1. What was built of it does not count. */
  compare(other: Semver): number {
    for (const [i, one] of this.numbers.entries()) {
      const theirs = other.numbers[i] ?? 0n;
      if (one !== theirs) return one < theirs ? -1 : 1;
    }
    if (this.pre.length === 0 || other.pre.length === 0) return Math.sign(other.pre.length - this.pre.length);
    return comparePre(this.pre, other.pre);
  }

  equals(other: unknown): boolean {
    return other instanceof Semver && this.compare(other) === 0;
  }
}

const isNumber = (text: string): boolean => /^\d+$/.test(text);

function comparePre(a: readonly string[], b: readonly string[]): number {
  const at = a.findIndex((mine, i) => mine !== b[i]);
  if (at < 0) return Math.sign(a.length - b.length);
  const [mine = '', theirs] = [a[at], b[at]];
  return theirs === undefined ? 1 : comparePart(mine, theirs);
}

/** Of two that differ. Numbers come before words. */
function comparePart(a: string, b: string): number {
  if (isNumber(a) !== isNumber(b)) return isNumber(a) ? -1 : 1;
  const isLess = isNumber(a) ? BigInt(a) < BigInt(b) : a < b;
  return isLess ? -1 : 1;
}

function semverOf(text: string): Semver | undefined {
  const found = text.length <= longest ? pattern.exec(text) : undefined;
  if (!found) return undefined;
  const [, major = '', minor = '', patch = '', pre, build] = found;
  const parts = pre?.split('.') ?? [];
  if (parts.some((part) => part === '' || /^0\d+$/.test(part)) || build?.split('.').includes('')) return undefined;
  return new Semver([BigInt(major), BigInt(minor), BigInt(patch)], parts);
}

/** Takes `v1`, `1.2` and `01.02.03`, too. */
function tolerant(text: string): Semver | undefined {
  if (text.length > longest) return undefined;
  const [major = '', minor, ...rest] = text.replace(/^v/, '').split('.');
  const parts = (minor === undefined ? [major] : rest.length === 0 ? [major, minor] : [major, minor, rest.join('.')]).map(withoutZeros);
  if (parts.length < 3 && /[+-]/.test(parts.at(-1) ?? '')) return undefined;
  while (parts.length < 3) parts.push('0');
  return semverOf(parts.join('.'));
}

function withoutZeros(part: string): string {
  if (part.length < 2) return part;
  const left = part.replace(/^0+/, '');
  return /^\d/.test(left) ? left : `0${left}`;
}

function must(found: Semver | undefined): Semver {
  if (!found) throw new RuleError('invalid semantic version');
  return found;
}

export function registerSemvers(environment: Environment): void {
  const type = 'kubernetes.Semver';
  environment.registerType(type, Semver as never);
  environment.registerOperator(`${type} == ${type}`, (a: Semver, b: unknown) => a.equals(b));
  const add = register(environment);
  const read = (text: string, isTolerant: boolean): Semver | undefined => (isTolerant ? tolerant(text) : semverOf(text));
  add(`semver(string): ${type}`, (text: string) => must(semverOf(text)));
  add(`semver(string, bool): ${type}`, (text: string, isTolerant: boolean) => must(read(text, isTolerant)));
  add('isSemver(string): bool', (text: string) => semverOf(text) !== undefined);
  add('isSemver(string, bool): bool', (text: string, isTolerant: boolean) => read(text, isTolerant) !== undefined);
  add(`${type}.major(): int`, (of: Semver) => of.numbers[0]);
  add(`${type}.minor(): int`, (of: Semver) => of.numbers[1]);
  add(`${type}.patch(): int`, (of: Semver) => of.numbers[2]);
  add(`${type}.isGreaterThan(${type}): bool`, (a: Semver, b: Semver) => a.compare(b) > 0);
  add(`${type}.isLessThan(${type}): bool`, (a: Semver, b: Semver) => a.compare(b) < 0);
  add(`${type}.compareTo(${type}): int`, (a: Semver, b: Semver) => BigInt(a.compare(b)));
}
