/**
 * A set of fields of an object. A field is a path of elements, written as in FieldsV1: `f:NAME` a member of an object,
 * `k:{"name":"x"}` an entry of a list by its keys, `v:VALUE` an entry of a set, `i:N` a place in a list.
 * A field in the set does not bring the fields above or below it.
 */
import type { Json } from '../codec/json-object.ts';

export type Path = readonly string[];

/** No object nests as deep as this; text of clients may. */
const maxDepth = 200;

export class FieldSet {
  /** The fields of this level that are in the set. */
  readonly members: Set<string> = new Set();
  /** What is in the set below a field of this level. */
  readonly children: Map<string, FieldSet> = new Map();

  static of(...paths: readonly Path[]): FieldSet {
    const set = new FieldSet();
    for (const path of paths) set.add(path);
    return set;
  }

  get isEmpty(): boolean {
    if (this.members.size > 0) return false;
    for (const child of this.children.values()) if (!child.isEmpty) return false;
    return true;
  }

  /** The root of an object is nobody's: an empty path adds nothing. */
  add(path: Path): void {
    const last = path.at(-1);
    if (last === undefined) return;
    let at: FieldSet = this;
    for (let i = 0; i < path.length - 1; i++) at = at.child(path[i] as string);
    at.members.add(last);
  }

  has(path: Path): boolean {
    let at: FieldSet | undefined = this;
    for (let i = 0; at && i < path.length - 1; i++) at = at.children.get(path[i] as string);
    return at?.members.has(path.at(-1) as string) ?? false;
  }

  /** The set below an element, made when there is none. */
  child(element: string): FieldSet {
    let child = this.children.get(element);
    if (!child) {
      child = new FieldSet();
      this.children.set(element, child);
    }
    return child;
  }

  union(other: FieldSet): FieldSet {
    const out = new FieldSet();
    for (const set of [this, other]) {
      for (const element of set.members) out.members.add(element);
      for (const [element, child] of set.children) {
        const known = out.children.get(element);
        out.children.set(element, known ? known.union(child) : child);
      }
    }
    return out;
  }

  intersection(other: FieldSet): FieldSet {
    const out = new FieldSet();
    for (const element of this.members) if (other.members.has(element)) out.members.add(element);
    for (const [element, child] of this.children) {
      const theirs = other.children.get(element);
      if (theirs) out.#put(element, child.intersection(theirs));
    }
    return out;
  }

  /** Without the fields of `other`. Fields below a field of `other` stay. */
  difference(other: FieldSet): FieldSet {
    const out = new FieldSet();
    for (const element of this.members) if (!other.members.has(element)) out.members.add(element);
    for (const [element, child] of this.children) {
      const theirs = other.children.get(element);
      out.#put(element, theirs ? child.difference(theirs) : child);
    }
    return out;
  }

  /** Without the fields of `other` and all below them. */
  without(other: FieldSet): FieldSet {
    const out = new FieldSet();
    for (const element of this.members) if (!other.members.has(element)) out.members.add(element);
    for (const [element, child] of this.children) {
      if (other.members.has(element)) continue;
      const theirs = other.children.get(element);
      out.#put(element, theirs ? child.without(theirs) : child);
    }
    return out;
  }

  #put(element: string, child: FieldSet): void {
    if (!child.isEmpty) this.children.set(element, child);
  }

  /** Every field of the set; those of a level before those below it. */
  *paths(above: Path = []): Generator<Path> {
    for (const element of sorted(this.members)) yield [...above, element];
    for (const element of sorted(this.children.keys())) yield* (this.children.get(element) as FieldSet).paths([...above, element]);
  }

  /** The form of `managedFields[].fieldsV1`. */
  toFieldsV1(): Json {
    const out: Json = {};
    for (const element of sorted(new Set([...this.members, ...this.children.keys()]))) {
      const below = this.children.get(element)?.toFieldsV1() ?? {};
      const isMember = this.members.has(element);
      const hasBelow = Object.keys(below).length > 0;
      if (isMember && hasBelow) out[element] = { '.': {}, ...below };
      else if (isMember || hasBelow) out[element] = below;
    }
    return out;
  }

  /** Undefined for what is no set of fields. Elements of a kind that is not known are passed over. */
  static fromFieldsV1(fields: unknown, depth: number = 0): FieldSet | undefined {
    if (typeof fields !== 'object' || fields === null || Array.isArray(fields) || depth > maxDepth) return undefined;
    const out = new FieldSet();
    for (const [key, value] of Object.entries(fields)) {
      if (key === '.') continue;
      const element = canonicalElement(key);
      if (element === undefined) return undefined;
      if (element !== '' && !out.#read(element, value, depth + 1)) return undefined;
    }
    return out;
  }

  /** Takes in what FieldsV1 says of an element; false when that is no set of fields. */
  #read(element: string, fields: unknown, depth: number): boolean {
    const below = FieldSet.fromFieldsV1(fields, depth);
    if (!below) return false;
    if (below.isEmpty || Object.hasOwn(fields as Json, '.')) this.members.add(element);
    if (!below.isEmpty) this.children.set(element, below.union(this.children.get(element) ?? new FieldSet()));
    return true;
  }
}

const ranks = 'fkvi';

function sorted(elements: Iterable<string>): string[] {
  const rank = (element: string): number => ranks.indexOf(element[0] as string);
  return [...elements].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

/** The one spelling of an element; '' for a kind that is not known, undefined for none. */
function canonicalElement(key: string): string | undefined {
  if (key[1] !== ':') return undefined;
  const rest = key.slice(2);
  try {
    switch (key[0]) {
      case 'f':
        return key;
      case 'k':
        return keyElement(Object.entries(JSON.parse(rest) as Json));
      case 'v':
        return `v:${JSON.stringify(JSON.parse(rest))}`;
      case 'i':
        return /^\d+$/.test(rest) ? key : undefined;
      default:
        return '';
    }
  } catch {
    return undefined;
  }
}

/** The element of the list entry with these values of its key fields. */
export function keyElement(keys: readonly (readonly [name: string, value: unknown])[]): string {
  const inOrder = keys.toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `k:{${inOrder.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`;
}

/** As messages show a path: `.spec.containers[name="a"].image`. */
export function pathText(path: Path): string {
  return path.map(elementText).join('');
}

export function elementText(element: string): string {
  const rest = element.slice(2);
  switch (element[0]) {
    case 'f':
      return `.${rest}`;
    case 'k': {
      const keys = Object.entries(JSON.parse(rest) as Json);
      return `[${keys.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(',')}]`;
    }
    case 'v':
      return `[=${rest}]`;
    default:
      return `[${rest}]`;
  }
}
