/** When two values are the same: numbers of any type by what they are, sets and lists with keys in any order. Whatever is looked at is charged. */
import { isObject } from '../codec/json-object.ts';
import { celPackage } from './cel.ts';
import { escapeName } from './escape.ts';
import { charge, chargeText } from './meter.ts';
import { DeclaredObject, listKindOf } from './values.ts';

/** A value of one of Kubernetes' own types. */
export interface Comparable {
  equals(other: unknown): boolean;
}

function isComparable(value: unknown): value is Comparable {
  return typeof value === 'object' && value !== null && 'equals' in value && typeof value.equals === 'function';
}

/** Of a number of any type; undefined for what is none. */
export function numberOf(value: unknown): number | bigint | undefined {
  if (typeof value === 'number' || typeof value === 'bigint') return value;
  const inner = typeof value === 'object' && value?.constructor.name === 'UnsignedInt' ? value.valueOf() : undefined;
  return typeof inner === 'bigint' ? inner : undefined;
}

interface Span {
  readonly seconds: bigint;
  readonly nanos: number;
}

export function isSpan(value: unknown): value is Span {
  return typeof value === 'object' && value?.constructor.name === 'Duration';
}

export function equal(a: unknown, b: unknown): boolean {
  charge(1);
  if (a === b) return true;
  if (typeof a === 'string') {
    if (typeof b === 'string') chargeText(a.length < b.length ? a : b);
    return false;
  }
  const number = numberOf(a);
  if (number !== undefined) {
    const other = numberOf(b);
    // biome-ignore lint/suspicious/noDoubleEquals: a whole number and a fraction of the same value are equal
    return other !== undefined && number == other;
  }
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  return equalObjects(a, b);
}

function equalObjects(a: object, b: object): boolean {
  if (Array.isArray(a)) return Array.isArray(b) && equalLists(a, b);
  if (a instanceof DeclaredObject) return b instanceof DeclaredObject && equalDeclared(a, b);
  if (a instanceof Map) return b instanceof Map && equalMaps(a, b);
  if (a instanceof Uint8Array) return b instanceof Uint8Array && equalBytes(a, b);
  if (a instanceof celPackage().Optional) return equalOptionals(a, b);
  return equalScalars(a, b);
}

/** Of objects of JavaScript that are one value. */
function equalScalars(a: object, b: object): boolean {
  if (a instanceof Date) return b instanceof Date && a.getTime() === b.getTime();
  if (isSpan(a)) return isSpan(b) && a.seconds === b.seconds && a.nanos === b.nanos;
  return isComparable(a) && a.equals(b);
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  charge(Math.min(a.length, b.length) / 10);
  return Buffer.compare(a, b) === 0;
}

interface OptionalValue {
  hasValue(): boolean;
  value(): unknown;
}

function equalOptionals(a: OptionalValue, b: object): boolean {
  if (!(b instanceof celPackage().Optional) || a.hasValue() !== b.hasValue()) return false;
  return !a.hasValue() || equal(a.value(), b.value());
}

function equalLists(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) return false;
  const kind = listKindOf(a);
  if (!kind) return a.every((one, i) => equal(one, b[i]));
  charge(a.length + b.length);
  const byKey = new Map(a.map((one) => [keyIn(one, kind.keys), one]));
  return b.every((one) => {
    const key = keyIn(one, kind.keys);
    return byKey.has(key) && (kind.type === 'set' || equal(byKey.get(key), one));
  });
}

/** What names an entry of a set, or of a list with keys. */
export function keyIn(entry: unknown, keys: readonly string[]): unknown {
  if (!(entry instanceof DeclaredObject)) return entry;
  return keys.map((key) => JSON.stringify(entry.json[key]) ?? '').join();
}

function equalMaps(a: ReadonlyMap<unknown, unknown>, b: ReadonlyMap<unknown, unknown>): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) if (!b.has(key) || !equal(value, b.get(key))) return false;
  return true;
}

function equalDeclared(a: DeclaredObject, b: DeclaredObject): boolean {
  if (Object.keys(a.json).length !== Object.keys(b.json).length) return false;
  for (const name of Object.keys(a.json)) {
    const escaped = escapeName(name);
    const isDeclared = escaped !== undefined && a.fields.has(escaped);
    if (!isDeclared) {
      if (Object.hasOwn(b.json, name) && !equalJson(a.json[name], b.json[name])) return false;
      continue;
    }
    const mine = a.get(escaped);
    const other = b.get(escaped);
    if ((mine === undefined) !== (other === undefined)) return false;
    if (mine !== undefined && !equal(mine, other)) return false;
  }
  return true;
}

/** Of what the schema keeps without knowing it. */
function equalJson(a: unknown, b: unknown): boolean {
  charge(1);
  if (a === b) return true;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((one, i) => equalJson(one, b[i]));
  if (!isObject(a) || !isObject(b)) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && equalJson(a[name], b[name]));
}
