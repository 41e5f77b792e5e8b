/** How the fields of a type are owned: what is a leaf, which lists have entries with owners of their own, and what names an entry. */
import { type ApiType, type Field, isCustom, type JsonSchema, type Schema, typeOf } from '../schema/schema.ts';

/** `any` is JSON of no known type. */
export type ShapeKind = 'scalar' | 'struct' | 'map' | 'list' | 'any';
type Scalar = 'string' | 'numeric' | 'boolean' | 'untyped';

export class Shape {
  readonly kind: ShapeKind;
  /** Owned and replaced as a whole; always so for scalars. */
  readonly atomic: boolean;
  readonly scalar: Scalar | undefined;
  readonly isQuantity: boolean;
  /** Of the entries of a map or list. */
  readonly element: Shape | undefined;
  /** The fields that name an entry of a list; none for a set. */
  readonly keys: readonly string[];
  readonly default: unknown;
  readonly #declared: () => Iterable<readonly [name: string, Shape]>;
  /** Of the members of a struct that are not declared, where there may be such. */
  readonly #rest: Shape | undefined;
  #fields: ReadonlyMap<string, Shape> | undefined;

  constructor(init: {
    readonly kind: ShapeKind;
    readonly atomic: boolean;
    readonly scalar?: Scalar;
    readonly isQuantity?: boolean;
    readonly element?: Shape;
    readonly keys?: readonly string[];
    readonly default?: unknown;
    readonly declared?: () => Iterable<readonly [name: string, Shape]>;
    readonly rest?: Shape | undefined;
  }) {
    this.kind = init.kind;
    this.atomic = init.atomic;
    this.scalar = init.scalar;
    this.isQuantity = init.isQuantity ?? false;
    this.element = init.element;
    this.keys = init.keys ?? [];
    this.default = init.default;
    this.#declared = init.declared ?? ((): [] => []);
    this.#rest = init.rest;
  }

  /** The declared fields of a struct. Made when asked for: types may contain themselves. */
  get fields(): ReadonlyMap<string, Shape> {
    this.#fields ??= new Map(this.#declared());
    return this.#fields;
  }

  /** Of one member of a struct or map. */
  member(name: string): Shape | undefined {
    return this.kind === 'map' ? this.element : (this.fields.get(name) ?? this.#rest);
  }
}

const text = new Shape({ kind: 'scalar', atomic: true, scalar: 'string' });
const untyped = new Shape({ kind: 'scalar', atomic: true, scalar: 'untyped' });
const any = new Shape({ kind: 'any', atomic: true });
const structs = new Map<ApiType, Shape>();

export function shapeOfType(type: ApiType): Shape {
  let shape = structs.get(type);
  if (!shape) {
    shape = structOf(type, type.isAtomic);
    structs.set(type, shape);
  }
  return shape;
}

function structOf(type: ApiType, atomic: boolean): Shape {
  return new Shape({ kind: 'struct', atomic, declared: () => fieldsOfType(type) });
}

function* fieldsOfType(type: ApiType): Generator<readonly [name: string, Shape]> {
  if (type.isKind) for (const name of ['apiVersion', 'kind']) yield [name, text];
  for (const [name, field] of type.jsonFields) yield [name, shapeOfField(field)];
}

/** Undefined for a type that is nowhere. */
export function shapeOf(schema: Schema): Shape | undefined {
  if (isCustom(schema)) return shapeOfCustom(schema.root, true);
  const type = typeOf(schema);
  return type && shapeOfType(type);
}

const ofSchemas = new WeakMap<JsonSchema, Shape>();

/** Of a custom resource, or of a value in it. What the schema only keeps is owned as a whole. */
function shapeOfCustom(schema: JsonSchema, isRoot: boolean): Shape {
  let shape = ofSchemas.get(schema);
  if (!shape) {
    shape = makeShape(schema, isRoot || schema['x-kubernetes-embedded-resource'] === true);
    ofSchemas.set(schema, shape);
  }
  return shape;
}

function makeShape(schema: JsonSchema, isWhole: boolean): Shape {
  const { type, items, properties, additionalProperties } = schema;
  if (schema['x-kubernetes-int-or-string']) return untyped;
  if (type === 'array' && items) return customList(schema, items);
  const atomic = schema['x-kubernetes-map-type'] === 'atomic';
  if (properties || isWhole) {
    const rest = schema['x-kubernetes-preserve-unknown-fields'] ? any : undefined;
    return new Shape({ kind: 'struct', atomic, declared: () => customFields(properties ?? {}, isWhole), rest });
  }
  if (typeof additionalProperties === 'object')
    return new Shape({ kind: 'map', atomic, element: shapeOfCustom(additionalProperties, false) });
  const scalar = customScalars[type ?? ''];
  return scalar ? new Shape({ kind: 'scalar', atomic: true, scalar, default: schema.default }) : any;
}

const customScalars: Readonly<Record<string, Scalar>> = { string: 'string', boolean: 'boolean', integer: 'numeric', number: 'numeric' };

function customList(schema: JsonSchema, items: JsonSchema): Shape {
  const listType = schema['x-kubernetes-list-type'];
  const keys = listType === 'map' ? (schema['x-kubernetes-list-map-keys'] ?? []) : [];
  return new Shape({ kind: 'list', atomic: listType !== 'map' && listType !== 'set', element: shapeOfCustom(items, false), keys });
}

function* customFields(properties: Readonly<Record<string, JsonSchema>>, isWhole: boolean): Generator<readonly [name: string, Shape]> {
  for (const [name, schema] of Object.entries(properties)) yield [name, shapeOfCustom(schema, false)];
  if (!isWhole) return;
  for (const name of ['apiVersion', 'kind']) yield [name, text];
  const meta = typeOf('meta.v1.ObjectMeta');
  if (meta) yield ['metadata', shapeOfType(meta)];
}

const scalars: Readonly<Partial<Record<Field['kind'], Scalar>>> = {
  string: 'string',
  bytes: 'string',
  bool: 'boolean',
  int32: 'numeric',
  int64: 'numeric',
  double: 'numeric',
};

function shapeOfField(field: Field): Shape {
  const { shape, marks } = field;
  const one = shapeOfEntry(field);
  if (shape === 'map') return new Shape({ kind: 'map', atomic: marks.mapType === 'atomic', element: one });
  if (shape === 'list') {
    const keys = listKeys(field);
    return new Shape({ kind: 'list', atomic: keys === undefined, element: one, keys: keys ?? [] });
  }
  if (field.type) return marks.mapType === 'atomic' ? structOf(field.type, true) : one;
  if (one.kind !== 'scalar') return one;
  return scalarShape(field, marks.default ?? zeroOf(field));
}

function shapeOfEntry(field: Field): Shape {
  if (field.type) return shapeOfType(field.type);
  if (field.kind === 'raw' || field.kind === 'json' || field.kind === 'fieldsV1') return any;
  if (field.kind === 'strings') return new Shape({ kind: 'list', atomic: true, element: text });
  return scalarShape(field, undefined);
}

/** The keys of a list's entries; undefined for a list that is owned as a whole. Without a list type the patch strategy decides. */
function listKeys({ marks }: Field): readonly string[] | undefined {
  if (marks.listType === 'map') return marks.listKeys ?? [];
  if (marks.listType === 'set') return [];
  if (marks.listType !== undefined || !marks.strategy?.startsWith('merge')) return undefined;
  return marks.mergeKey === undefined ? [] : [marks.mergeKey];
}

/** The zero value that Go always writes for a required field that is no pointer: an entry without a name has the name ''. */
function zeroOf({ kind, required, zeroCounts }: Field): unknown {
  if (!required || !zeroCounts) return undefined;
  return kind === 'string' ? '' : kind === 'int32' || kind === 'int64' ? 0 : undefined;
}

function scalarShape({ kind }: Field, byDefault: unknown): Shape {
  return new Shape({
    kind: 'scalar',
    atomic: true,
    scalar: scalars[kind] ?? 'untyped',
    isQuantity: kind === 'quantity',
    default: byDefault,
  });
}
