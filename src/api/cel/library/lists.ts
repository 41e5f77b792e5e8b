/** Kubernetes' functions of lists, cel-go's lists extension, and its sets. */
import type { Environment } from '@marcbachmann/cel-js';
import { equal, isSpan, numberOf } from '../equal.ts';
import { charge, chargeText, RuleError } from '../meter.ts';
import { register } from './register.ts';

const mostRange = 1_000_000;
const int64 = 2n ** 63n;

/** Below 0, 0 or above. */
export function compare(a: unknown, b: unknown): number {
  charge(1);
  if (typeof a === 'string' && typeof b === 'string') {
    chargeText(a.length < b.length ? a : b);
    return order(a, b);
  }
  if (a instanceof Uint8Array && b instanceof Uint8Array) {
    charge(Math.min(a.length, b.length) / 10);
    return Buffer.compare(a, b);
  }
  const [x, y] = [ordinal(a), ordinal(b)];
  if (x === undefined || y === undefined) throw new RuleError('no such overload');
  return order(x, y);
}

function order<T extends string | number | bigint>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function ordinal(value: unknown): number | bigint | undefined {
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (value instanceof Date) return value.getTime();
  if (isSpan(value)) return value.seconds * 1_000_000_000n + BigInt(value.nanos);
  return numberOf(value);
}

function sorted(list: readonly unknown[]): unknown[] {
  return list.toSorted(compare);
}

function isSorted(list: readonly unknown[]): boolean {
  return list.every((one, i) => i === 0 || compare(list[i - 1], one) <= 0);
}

function extreme(list: readonly unknown[], sign: 1 | -1): unknown {
  if (list.length === 0) throw new RuleError(`${sign > 0 ? 'max' : 'min'} called on empty list`);
  return list.reduce((best, one) => (compare(one, best) * sign > 0 ? one : best));
}

function sumOfInts(list: readonly bigint[]): bigint {
  const sum = list.reduce((a, b) => a + b, 0n);
  if (sum >= int64 || sum < -int64) throw new RuleError('integer overflow');
  return sum;
}

function flatten(list: readonly unknown[], depth: number): unknown[] {
  if (depth < 0) throw new RuleError('level must be non-negative');
  charge(list.length);
  return list.flatMap((one) => (Array.isArray(one) && depth > 0 ? flatten(one, depth - 1) : [one]));
}

function distinct(list: readonly unknown[]): unknown[] {
  const found: unknown[] = [];
  for (const one of list) if (!found.some((other) => equal(other, one))) found.push(one);
  return found;
}

function slice(list: readonly unknown[], start: bigint, end: bigint): unknown[] {
  if (start < 0n || end < 0n) throw new RuleError(`cannot slice(${start}, ${end}), negative indexes not supported`);
  if (start > end) throw new RuleError(`cannot slice(${start}, ${end}), start index must be less than or equal to end index`);
  if (end > BigInt(list.length)) throw new RuleError(`cannot slice(${start}, ${end}), list is length ${list.length}`);
  return list.slice(Number(start), Number(end));
}

function range(count: bigint): bigint[] {
  if (count > BigInt(mostRange)) throw new RuleError('range is too large');
  charge(Math.max(0, Number(count)));
  return Array.from({ length: Math.max(0, Number(count)) }, (_, i) => BigInt(i));
}

function includes(list: readonly unknown[], value: unknown): boolean {
  return list.some((one) => equal(one, value));
}

function containsAll(list: readonly unknown[], of: readonly unknown[]): boolean {
  return of.every((one) => includes(list, one));
}

class Sets {}
class Lists {}

export function registerLists(environment: Environment): void {
  environment.registerType('SetsNamespace', Sets as never);
  environment.registerConstant('sets', 'SetsNamespace', new Sets());
  environment.registerType('ListsNamespace', Lists as never);
  environment.registerConstant('lists', 'ListsNamespace', new Lists());
  const add = register(environment);
  add('list<A>.isSorted(): bool', isSorted);
  add('list<A>.min(): A', (list: readonly unknown[]) => extreme(list, -1));
  add('list<A>.max(): A', (list: readonly unknown[]) => extreme(list, 1));
  add('list<A>.sort(): list<A>', sorted);
  add('list<A>.reverse(): list<A>', (list: readonly unknown[]) => list.toReversed());
  add('list<A>.distinct(): list<A>', distinct);
  add('list<A>.slice(int, int): list<A>', slice);
  add('list.flatten(): list', (list: readonly unknown[]) => flatten(list, 1));
  add('list.flatten(int): list', (list: readonly unknown[], depth: bigint) => flatten(list, Number(depth)));
  add('list.indexOf(dyn): int', (list: readonly unknown[], value: unknown) => BigInt(list.findIndex((one) => equal(one, value))));
  add('list.lastIndexOf(dyn): int', (list: readonly unknown[], value: unknown) => BigInt(list.findLastIndex((one) => equal(one, value))));
  add('list<int>.sum(): int', sumOfInts);
  add('list<double>.sum(): double', (list: readonly number[]) => list.reduce((a, b) => a + b, 0));
  add('ListsNamespace.range(int): list<int>', (_: unknown, count: bigint) => range(count));
  add('SetsNamespace.contains(list, list): bool', (_: unknown, a: readonly unknown[], b: readonly unknown[]) => containsAll(a, b));
  add(
    'SetsNamespace.equivalent(list, list): bool',
    (_: unknown, a: readonly unknown[], b: readonly unknown[]) => containsAll(a, b) && containsAll(b, a),
  );
  add('SetsNamespace.intersects(list, list): bool', (_: unknown, a: readonly unknown[], b: readonly unknown[]) =>
    a.some((one) => includes(b, one)),
  );
}
