/**
 * Walks over values of a shape: the fields of a value, the difference of two values, their merge, and a value without some of its fields.
 * Values are JSON; `undefined` means "not there", unlike null. Arguments are never changed; results may share parts with them.
 */
import { isDeepStrictEqual } from 'node:util';
import { isObject } from '../codec/json-object.ts';
import { FieldSet, keyElement } from './field-set.ts';
import type { Shape } from './shape.ts';

/** An own member of an object, because a map may have keys such as `constructor`. */
function own(object: unknown, name: string): unknown {
  return isObject(object) && Object.hasOwn(object, name) ? object[name] : undefined;
}

function namesOf(...values: readonly unknown[]): Set<string> {
  return new Set(values.flatMap((value) => (isObject(value) ? Object.keys(value) : [])));
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Not there, null, or empty. Two blank values are compared as leaves, so that empty and null differ. */
function isBlank(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  return Array.isArray(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0;
}

/** The element that names an entry of a list; undefined for an entry without a name. */
export function elementOf(item: unknown, shape: Shape): string | undefined {
  if (shape.keys.length === 0) return item === null || typeof item === 'object' ? undefined : `v:${JSON.stringify(item)}`;
  if (!isObject(item)) return undefined;
  const keys: [string, unknown][] = [];
  for (const name of shape.keys) {
    const value = own(item, name) ?? shape.element?.fields.get(name)?.default;
    if (value !== undefined) keys.push([name, value]);
  }
  return keys.length === 0 ? undefined : keyElement(keys);
}

/** The entries of a list by name, in their order. Ordinary writes can store two entries of one name. */
function grouped(list: readonly unknown[], shape: Shape): Map<string, unknown[]> {
  const out = new Map<string, unknown[]>();
  for (const item of list) {
    const element = elementOf(item, shape);
    if (element === undefined) continue;
    const same = out.get(element);
    if (same) same.push(item);
    else out.set(element, [item]);
  }
  return out;
}

/** The fields that a value has: its leaves, the entries of lists and maps, and what is there but empty. */
export function fieldsOf(value: unknown, shape: Shape): FieldSet {
  const out = new FieldSet();
  collect(value, shape, out);
  return out;
}

function collect(value: unknown, shape: Shape, into: FieldSet): void {
  if (shape.kind === 'list') {
    for (const [element, items] of grouped(listOf(value), shape)) {
      into.members.add(element);
      if (items.length === 1) descend(items[0], shape.element, element, into);
    }
    return;
  }
  for (const name of namesOf(value)) {
    const member = shape.member(name);
    if (!member) continue;
    const element = `f:${name}`;
    const inner = own(value, name);
    descend(inner, member, element, into);
    if (shape.kind === 'map' || inner === null || (isObject(inner) && isBlank(inner))) into.members.add(element);
  }
}

function descend(value: unknown, shape: Shape | undefined, element: string, into: FieldSet): void {
  if (!shape) return;
  if (shape.atomic) into.members.add(element);
  else if (!isBlank(value)) collect(value, shape, into.child(element));
}

export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

/** The fields that differ between two values. */
export function compare(left: unknown, right: unknown, shape: Shape): Comparison {
  const out = { added: new FieldSet(), modified: new FieldSet(), removed: new FieldSet() };
  compareAt(left, right, shape, [], out);
  return out;
}

function compareAt(left: unknown, right: unknown, shape: Shape, path: string[], out: Comparison): void {
  const isLeaf = shape.atomic || (isBlank(left) && isBlank(right));
  if (!isLeaf) {
    if (shape.kind === 'list') compareLists(listOf(left), listOf(right), shape, path, out);
    else for (const name of namesOf(left, right)) compareIn(`f:${name}`, own(left, name), own(right, name), shape.member(name), path, out);
  }
  if (left === undefined) out.added.add(path);
  else if (right === undefined) out.removed.add(path);
  else if (isLeaf && !isDeepStrictEqual(left, right)) out.modified.add(path);
}

function compareIn(element: string, left: unknown, right: unknown, shape: Shape | undefined, path: string[], out: Comparison): void {
  if (!shape) return;
  path.push(element);
  compareAt(left, right, shape, path, out);
  path.pop();
}

function compareLists(left: readonly unknown[], right: readonly unknown[], shape: Shape, path: string[], out: Comparison): void {
  const before = grouped(left, shape);
  const after = grouped(right, shape);
  for (const element of new Set([...before.keys(), ...after.keys()])) {
    const l = before.get(element) ?? [];
    const r = after.get(element) ?? [];
    // Entries that share a name have no fields of their own: they are one leaf.
    if (l.length > 1 && r.length > 1) {
      if (!isDeepStrictEqual(l, r)) out.modified.add([...path, element]);
      continue;
    }
    compareIn(element, only(l), only(r), shape.element, path, out);
    if (l.length > 1) out.removed.add([...path, element]);
    if (r.length > 1) out.added.add([...path, element]);
  }
}

function only(entries: readonly unknown[]): unknown {
  return entries.length > 1 ? undefined : entries[0];
}

/** Both values merged. Where both have a field, the right one wins. */
export function merge(left: unknown, right: unknown, shape: Shape): unknown {
  if (shape.atomic || (isBlank(left) && isBlank(right))) return right === undefined ? left : right;
  if (shape.kind === 'list') return mergeLists(listOf(left), listOf(right), shape);
  const out: [string, unknown][] = [];
  for (const name of namesOf(left, right)) {
    const member = shape.member(name);
    const merged = member && merge(own(left, name), own(right, name), member);
    if (merged !== undefined) out.push([name, merged]);
  }
  return out.length > 0 ? Object.fromEntries(out) : undefined;
}

/**
 * Entries of the right keep their order; entries of the left alone stay where they stood among them. An entry that stands on both sides
 * at different places goes where the right one has it.
 */
function mergeLists(left: readonly unknown[], right: readonly unknown[], shape: Shape): unknown[] | undefined {
  const merged = new ListMerge(left, right, shape).run();
  return merged.length > 0 ? merged : undefined;
}

class ListMerge {
  readonly #left: readonly unknown[];
  readonly #shape: Shape;
  readonly #leftNames: readonly (string | undefined)[];
  readonly #rightNames: readonly (string | undefined)[];
  readonly #lefts: ReadonlyMap<string, readonly unknown[]>;
  readonly #rights: ReadonlyMap<string, readonly unknown[]>;
  /** The names that both have, in the order of the right one. */
  readonly #shared: readonly (string | undefined)[];
  readonly #done = new Set<string | undefined>();
  readonly #out: unknown[] = [];
  #l = 0;
  #r = 0;
  #nextShared = 0;

  constructor(left: readonly unknown[], right: readonly unknown[], shape: Shape) {
    this.#left = left;
    this.#shape = shape;
    this.#leftNames = left.map((item) => elementOf(item, shape));
    this.#rightNames = right.map((item) => elementOf(item, shape));
    this.#lefts = grouped(left, shape);
    this.#rights = grouped(right, shape);
    this.#shared = this.#rightNames.filter((name) => name !== undefined && this.#lefts.has(name));
  }

  run(): unknown[] {
    while (this.#l < this.#leftNames.length || this.#r < this.#rightNames.length) this.#step();
    return this.#out;
  }

  #step(): void {
    const name = this.#leftNames[this.#l];
    const hasLeft = this.#l < this.#leftNames.length;
    const hasRight = this.#r < this.#rightNames.length;
    if (hasLeft && hasRight && name === this.#rightNames[this.#r]) {
      this.#put(name);
      this.#l++;
      this.#r++;
    } else if (hasLeft && hasRight && this.#comesLater(name)) this.#l++;
    else if (hasLeft && !this.#rights.has(name as string)) this.#out.push(this.#left[this.#l++]);
    else {
      if (hasLeft && this.#done.has(name)) this.#l++;
      if (hasRight) this.#put(this.#rightNames[this.#r++]);
    }
  }

  /** Whether the right list has it, but another one that both have before it. */
  #comesLater(name: string | undefined): boolean {
    return this.#rights.has(name as string) && this.#nextShared < this.#shared.length && this.#shared[this.#nextShared] !== name;
  }

  #put(name: string | undefined): void {
    this.#done.add(name);
    // Two entries of one name on the left: neither can be merged with, so both are dropped.
    const merged = merge(only(this.#lefts.get(name as string) ?? []), this.#rights.get(name as string)?.[0], this.#shape.element as Shape);
    if (merged !== undefined) this.#out.push(merged);
    if (this.#shared[this.#nextShared] === name) this.#nextShared++;
  }
}

/** A value without the fields of a set; null when nothing is left. */
export function remove(value: unknown, set: FieldSet, shape: Shape): unknown {
  if (shape.kind === 'scalar' || shape.kind === 'any') return value;
  if (shape.atomic) return null;
  return shape.kind === 'list' ? removeFromList(listOf(value), set, shape) : removeFromMap(value, set, shape);
}

function removeFromList(list: readonly unknown[], set: FieldSet, shape: Shape): unknown {
  const named = list.map((item) => ({ item, element: elementOf(item, shape) }));
  const kept = named.filter(({ element }) => element === undefined || !set.members.has(element));
  return kept.length > 0 ? kept.map(({ item, element }) => removeBelow(element, item, set, shape.element)) : null;
}

function removeFromMap(map: unknown, set: FieldSet, shape: Shape): unknown {
  const kept = [...namesOf(map)].filter((name) => !set.members.has(`f:${name}`));
  const entries = kept.map((name) => [name, removeBelow(`f:${name}`, own(map, name), set, shape.member(name))]);
  return entries.length > 0 ? Object.fromEntries(entries) : null;
}

function removeBelow(element: string | undefined, value: unknown, set: FieldSet, shape: Shape | undefined): unknown {
  const below = element === undefined ? undefined : set.children.get(element);
  return below && shape ? remove(value, below, shape) : value;
}

/** The set with every declared field above a field of it; members of maps and entries of lists are not declared. */
export function withNamedFields(set: FieldSet, shape: Shape | undefined): FieldSet {
  const out = new FieldSet();
  for (const element of set.members) out.members.add(element);
  for (const [element, child] of set.children) {
    const name = element.slice(2);
    const isField = element.startsWith('f:');
    if (isField && shape?.kind === 'struct' && shape.fields.has(name)) out.members.add(element);
    out.children.set(element, withNamedFields(child, isField ? shape?.member(name) : shape?.element));
  }
  return out;
}
