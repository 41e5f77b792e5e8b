/**
 * What is known of every API type, prepared once for use: fields by JSON name and by protobuf number, merge keys, defaults.
 * A type is prepared when it is first asked for; its fields point at the types they hold, so that no walker looks a name up.
 */
import { shortNames } from './short-names.ts';
import { type FieldMarks, type FieldRow, type TypeRow, tables } from './tables.ts';

/** What one value of a field is. `strings` is a message with a list of strings that JSON shows as the list. */
export type FieldKind =
  | 'string'
  | 'bool'
  | 'int32'
  | 'int64'
  | 'bytes'
  | 'message'
  | 'time'
  | 'microTime'
  | 'quantity'
  | 'intOrString'
  | 'fieldsV1'
  | 'raw'
  | 'double'
  /** Any value. */
  | 'json'
  | 'strings';

export interface Field {
  /** The name in JSON. */
  readonly name: string;
  /** The protobuf number. */
  readonly number: number;
  readonly kind: FieldKind;
  readonly shape: 'one' | 'list' | 'map';
  /** The type of a message (or of the entries of a list or map of messages). */
  readonly type: ApiType | undefined;
  readonly required: boolean;
  /** True when a zero value on the wire is more than "not set". */
  readonly zeroCounts: boolean;
  /** True when the members of the message appear in the parent's JSON. Only in `wireFields`. */
  readonly inline: boolean;
  readonly marks: FieldMarks;
  /** The Go struct that declares the field, for messages that name it. */
  readonly owner: string;
}

const noMarks: FieldMarks = {};
const scalars: ReadonlySet<string> = new Set([
  ...['string', 'bool', 'int32', 'int64', 'bytes', 'time', 'microTime'],
  ...['quantity', 'intOrString', 'fieldsV1', 'raw', 'strings'],
  ...['double', 'json'],
]);

type TypeLookup = (name: string) => ApiType | undefined;

/** One API type. Made only by `typeNamed` and `typeOf`. */
export class ApiType {
  /** As in the tables: `core.v1.Pod`. */
  readonly name: string;
  /** The name of the Go struct: `Pod`. */
  readonly goName: string;
  /** In OpenAPI documents: `io.k8s.api.core.v1.Pod`. */
  readonly openApiName: string;
  /** True when objects of the type carry apiVersion and kind. */
  readonly isKind: boolean;
  /** True when an object of the type is owned and replaced as a whole. */
  readonly isAtomic: boolean;
  readonly #rows: readonly FieldRow[];
  readonly #named: TypeLookup;
  #wire: readonly Field[] | undefined;
  #byNumber: (Field | undefined)[] | undefined;
  #json: ReadonlyMap<string, Field> | undefined;

  constructor(name: string, row: TypeRow, named: TypeLookup, openApi: string) {
    this.name = name;
    this.openApiName = openApi;
    this.#named = named;
    this.goName = name.slice(name.lastIndexOf('.') + 1);
    this.isKind = row.kind === true;
    this.isAtomic = row.atomic === true;
    this.#rows = row.fields;
  }

  /** The fields of the protobuf message, by rising number, inline messages as themselves. */
  get wireFields(): readonly Field[] {
    this.#wire ??= this.#rows.map((row) => fieldOf(row, this.goName, this.#named)).toSorted((a, b) => a.number - b.number);
    return this.#wire;
  }

  get fieldsByNumber(): readonly (Field | undefined)[] {
    if (!this.#byNumber) {
      this.#byNumber = [];
      for (const field of this.wireFields) this.#byNumber[field.number] = field;
    }
    return this.#byNumber;
  }

  /** The fields as JSON has them, by name, in the order of declaration; without apiVersion and kind. */
  get jsonFields(): ReadonlyMap<string, Field> {
    if (!this.#json) {
      const out = new Map<string, Field>();
      const byNumber = this.fieldsByNumber;
      for (const [, number] of this.#rows) {
        const field = byNumber[number];
        if (!field) continue;
        if (field.inline && field.type) for (const [name, inner] of field.type.jsonFields) out.set(name, inner);
        else out.set(field.name, field);
      }
      this.#json = out;
    }
    return this.#json;
  }

  field(name: string): Field | undefined {
    return this.jsonFields.get(name);
  }
}

function fieldOf(row: FieldRow, owner: string, named: TypeLookup): Field {
  const [name, number, text, flags, marks] = row;
  const shape = text.startsWith('[]') ? 'list' : text.startsWith('{}') ? 'map' : 'one';
  const element = shape === 'one' ? text : text.slice(2);
  const scalar = scalars.has(element);
  return {
    name,
    number,
    shape,
    kind: scalar ? (element as FieldKind) : 'message',
    type: scalar ? undefined : named(element),
    required: flags.includes('r'),
    zeroCounts: flags.includes('z'),
    inline: flags.includes('i'),
    marks: marks ?? noMarks,
    owner,
  };
}

const prepared = new Map<string, ApiType>();

/** The type with a table name such as `core.v1.Pod` or a short one as in types.ts (`Pod`, `EventsV1Event`), or undefined. */
export function typeNamed(name: string): ApiType | undefined {
  const known = prepared.get(name);
  if (known) return known;
  const row = Object.hasOwn(tables, name) ? tables[name] : undefined;
  if (!row) return name.includes('.') ? undefined : typeOfShortName(name);
  const type = new ApiType(name, row, typeNamed, openApiName(name));
  prepared.set(name, type);
  return type;
}

let byShortName: ReadonlyMap<string, string> | undefined;

function typeOfShortName(short: string): ApiType | undefined {
  byShortName ??= new Map([...shortNames(Object.keys(tables))].map(([name, shortName]) => [shortName, name]));
  const name = byShortName.get(short);
  return name === undefined ? undefined : typeNamed(name);
}

/**
 * The table name of a kind: `typeNameOf('apps', 'v1', 'Deployment')` is `apps.v1.Deployment`. Kinds that every group version
 * has (DeleteOptions, WatchEvent, Status …) are meta.v1's. Undefined for a kind that is not in the tables.
 */
export function typeNameOf(group: string, version: string, kind: string): string | undefined {
  const own = `${packageOf(group)}.${version}.${kind}`;
  if (Object.hasOwn(tables, own)) return own;
  const meta = `meta.v1.${kind}`;
  return Object.hasOwn(tables, meta) ? meta : undefined;
}

/** The type of an object by its apiVersion and kind, or undefined. */
export function typeOfObject(apiVersion: string, kind: string): ApiType | undefined {
  const slash = apiVersion.indexOf('/');
  const name = slash < 0 ? typeNameOf('', apiVersion, kind) : typeNameOf(apiVersion.slice(0, slash), apiVersion.slice(slash + 1), kind);
  return name === undefined ? undefined : typeNamed(name);
}

/** The Go package of a group is its first label: `rbac.authorization.k8s.io` is package `rbac`. */
function packageOf(group: string): string {
  if (group === '') return 'core';
  const dot = group.indexOf('.');
  return dot < 0 ? group : group.slice(0, dot);
}

/** The name OpenAPI documents have for a type: `core.v1.Pod` is `io.k8s.api.core.v1.Pod`. */
function openApiName(name: string): string {
  return name.startsWith('meta.v1.') ? `io.k8s.apimachinery.pkg.apis.${name}` : `io.k8s.api.${name}`;
}

/**
 * The type of a kind's objects: its name in the tables, or types that come along, of a kind that is added while a server runs, or what a
 * CustomResourceDefinition says of it. Plain data, for workers to read. Fields of types that come along may be of those in the tables
 * (`meta.v1.ObjectMeta`).
 */
export type Schema = string | OwnSchema | CustomSchema;

/** Of a custom resource: a structural schema (`src/api/custom`), which no table of fields could say. */
export interface CustomSchema {
  /** As OpenAPI documents name it: `com.example.v1.Widget`. */
  readonly type: string;
  readonly root: JsonSchema;
}

/** apiextensions.k8s.io/v1 JSONSchemaProps, of which these are looked at. */
export interface JsonSchema {
  readonly type?: string;
  readonly format?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly nullable?: boolean;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: boolean | JsonSchema;
  readonly items?: JsonSchema;
  readonly required?: readonly string[];
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: boolean;
  readonly exclusiveMaximum?: boolean;
  readonly multipleOf?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly allOf?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly not?: JsonSchema;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
  readonly 'x-kubernetes-embedded-resource'?: boolean;
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-list-type'?: string;
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-map-type'?: string;
  readonly 'x-kubernetes-validations'?: readonly unknown[];
}

export function isCustom(schema: Schema): schema is CustomSchema {
  return typeof schema === 'object' && 'root' in schema;
}

/** Holds the type of the kind's lists too, by its name with `List` behind. */
export interface OwnSchema {
  /** As OpenAPI documents name it: `com.example.v1.Widget`. */
  readonly type: string;
  readonly types: Readonly<Record<string, TypeRow>>;
}

const own = new WeakMap<OwnSchema['types'], TypeLookup>();

/** Undefined for a name that is nowhere, and for what has no table. */
export function typeOf(schema: Schema): ApiType | undefined {
  if (typeof schema === 'string') return typeNamed(schema);
  if (isCustom(schema)) return undefined;
  let named = own.get(schema.types);
  if (!named) {
    named = lookupIn(schema.types);
    own.set(schema.types, named);
  }
  return named(schema.type);
}

function lookupIn(types: OwnSchema['types']): TypeLookup {
  const made = new Map<string, ApiType>();
  return function named(name) {
    const row = Object.hasOwn(types, name) ? types[name] : undefined;
    if (!row) return typeNamed(name);
    const type = made.get(name) ?? new ApiType(name, row, named, name);
    made.set(name, type);
    return type;
  };
}
