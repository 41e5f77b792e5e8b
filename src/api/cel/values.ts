/**
 * Values of a rule. Objects and lists of an object are made as they are asked for, by the types that the schema declares: what the schema does
 * not have is not there.
 */
import { isObject, type Json } from '../codec/json-object.ts';
import type { JsonSchema } from '../schema/schema.ts';

/** What a schema says of a value, for rules. */
export interface Declared {
  /** As the language names it: `list<string>`. */
  readonly name: string;
  /** The value that a rule sees. */
  readonly of: (json: unknown) => unknown;
  /** The type of the entries of a list or map. */
  readonly entries?: Declared;
  /** Of an object, by their names in rules. */
  readonly fields?: ReadonlyMap<string, Field>;
}

export interface Field {
  /** The name in the object. */
  readonly name: string;
  readonly declared: Declared;
}

/** An object with declared fields. Two of the same type are equal when all that the schema has of them is. */
export abstract class DeclaredObject extends Map<string, unknown> {
  readonly json: Json;
  abstract readonly fields: ReadonlyMap<string, Field>;

  constructor(json: Json) {
    super();
    this.json = json;
  }

  override get(name: string): unknown {
    const known = super.get(name);
    if (known !== undefined) return known;
    const field = this.fields.get(name);
    if (!field || !Object.hasOwn(this.json, field.name)) return undefined;
    const json = this.json[field.name];
    // A field that is null is one that is not there.
    if (json === null || json === undefined) return undefined;
    const made = field.declared.of(json);
    this.set(name, made);
    return made;
  }
}

/** What a list is by its schema, where that is more than a list. */
interface ListKind {
  readonly type: 'set' | 'map';
  readonly keys: readonly string[];
}

const listKinds = new WeakMap<readonly unknown[], ListKind>();

export function listKindOf(list: readonly unknown[]): ListKind | undefined {
  return listKinds.get(list);
}

export function markList(list: readonly unknown[], kind: ListKind | undefined): void {
  if (kind) listKinds.set(list, kind);
}

export function listFrom(schema: JsonSchema, items: Declared): (json: unknown) => unknown {
  const type = schema['x-kubernetes-list-type'];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const kind: ListKind | undefined = type === 'set' || type === 'map' ? { type, keys } : undefined;
  return (json) => {
    const list = Array.isArray(json) ? json.map((one: unknown) => (one === null ? null : items.of(one))) : [];
    markList(list, kind);
    return list;
  };
}

export function mapFrom(values: Declared): (json: unknown) => unknown {
  return (json) =>
    new Map(isObject(json) ? Object.entries(json).map(([name, one]) => [name, one === null ? null : values.of(one)] as const) : []);
}

export function integerFrom(json: unknown): unknown {
  return typeof json === 'number' && Number.isInteger(json) ? BigInt(json) : json;
}

/** Of a field that may be a number or a text. */
export function intOrStringFrom(json: unknown): unknown {
  return integerFrom(json);
}

export function bytesFrom(json: unknown): unknown {
  return new Uint8Array(Buffer.from(String(json), 'base64'));
}

/** Also of a day alone. */
export function timestampFrom(json: unknown): unknown {
  return new Date(String(json));
}

/** Without a schema: objects are maps. */
export function dynamicFrom(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(dynamicFrom);
  if (!isObject(json)) return integerFrom(json ?? null);
  const made = new Map<string, unknown>();
  for (const [name, value] of Object.entries(json)) if (value !== undefined) made.set(name, dynamicFrom(value));
  return made;
}
