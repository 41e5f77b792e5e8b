/**
 * Does what Go's decoder does when it reads JSON into a typed struct: it drops and reports unknown fields, takes null for "not set", makes
 * quantities and times canonical, and reports values of a wrong type. Messages are upstream's (sigs.k8s.io/json, encoding/json). Values that
 * Go would not write (`tolerations: []`, `hostNetwork: false`) are dropped, too, so that leaving them out of a template later is no change.
 */

import { formatTime, parseInstant } from '../../clock/timestamp.ts';
import { prune } from '../custom/structural.ts';
import { canonicalQuantity, QuantityError } from '../quantity/quantity.ts';
import { type ApiType, type CustomSchema, type Field, isCustom, type OwnSchema, type Schema, typeOf } from '../schema/schema.ts';
import { emptyEntry } from './empty-entry.ts';
import { isObject, type Json } from './json-object.ts';

/** Upstream stops naming strict errors at a hundred. */
const mostFields = 100;
const unknownFieldText = 'unknown field ';

export function unknownField(path: string): string {
  return `${unknownFieldText}${JSON.stringify(path)}`;
}

/** The path that `unknownField` was given. */
export function pathOfUnknown(error: string): string {
  return JSON.parse(error.slice(unknownFieldText.length)) as string;
}

/** True for an error that `fieldValidation=Ignore` may pass over. */
export function isUnknownField(error: string): boolean {
  return error.startsWith(unknownFieldText);
}

/**
 * Checks an object (or the body of a subresource) against a type by its table name or short name, and brings it **in place** to
 * what a typed decoder would have read. An unknown type name has no errors. Gives unknown fields (`unknown field "spec.foo"`), to be
 * refused, warned of or ignored as `fieldValidation` says, and values of a wrong type (`json: cannot unmarshal …`), to be refused always:
 * `isUnknownField` tells them apart.
 */
export function checkFields(object: object, schema: Schema): readonly string[] {
  if (isCustom(schema)) return checkCustom(object as Json, schema);
  const type = typeOf(schema);
  if (!type) return [];
  const checker = new Checker();
  checker.message(object as Json, type, true);
  return checker.errors;
}

/** Of what every object has the types are known. The other values are validated later, as upstream; here those go of which the schema knows nothing. */
function checkCustom(object: Json, { root }: CustomSchema): readonly string[] {
  const head: Json = {};
  for (const name of ['apiVersion', 'kind', 'metadata']) {
    if (Object.hasOwn(object, name)) head[name] = object[name];
    delete object[name];
  }
  const errors = checkFields(head, anyObject);
  const pruned = prune(object, root, true).slice(0, mostFields).map(unknownField);
  Object.assign(object, head);
  return [...errors, ...pruned];
}

const anyObject: OwnSchema = { type: 'Object', types: { Object: { kind: true, fields: [['metadata', 1, 'meta.v1.ObjectMeta', '']] } } };

class Checker {
  readonly errors: string[] = [];
  /** Field names and list positions from the root to here; the keys of maps stand behind a dot. */
  readonly #path: (string | number)[] = [];

  message(object: Json, type: ApiType, root = false): void {
    const fields = type.jsonFields;
    for (const name of Object.keys(object)) {
      const field = fields.get(name);
      if (field === undefined) {
        if ((root || type.isKind) && (name === 'apiVersion' || name === 'kind')) this.#typeMeta(object, name, type);
        else this.#unknown(object, name);
        continue;
      }
      const value = object[name];
      if (value === null || value === undefined) {
        delete object[name];
        continue;
      }
      const read = this.#field(value, field);
      if (!field.zeroCounts && isOmitted(read, field) && name !== keptEmpty) delete object[name];
      else object[name] = read;
    }
  }

  #field(value: unknown, field: Field): unknown {
    this.#path.push(field.name);
    const read =
      field.shape === 'one' ? this.#one(value, field) : field.shape === 'list' ? this.#list(value, field) : this.#map(value, field);
    this.#path.pop();
    return read;
  }

  #typeMeta(object: Json, name: string, type: ApiType): void {
    if (typeof object[name] === 'string') return;
    if (object[name] === null) delete object[name];
    else this.errors.push(`json: cannot unmarshal ${goValue(object[name])} into Go struct field ${type.goName}.${name} of type string`);
  }

  #unknown(object: Json, name: string): void {
    if (this.errors.length < mostFields) this.errors.push(unknownField(this.#fullPath(name)));
    delete object[name];
  }

  #list(value: unknown, field: Field): unknown {
    if (!Array.isArray(value)) return this.#mismatch(value, field, `[]${goType(field)}`);
    for (let i = 0; i < value.length; i++) {
      this.#path.push(i);
      value[i] = value[i] === null ? emptyEntry(field) : this.#one(value[i], field);
      this.#path.pop();
    }
    return value;
  }

  #map(value: unknown, field: Field): unknown {
    if (typeof value !== 'object' || Array.isArray(value)) return this.#mismatch(value, field, `map[string]${goType(field)}`);
    const map = value as Json;
    for (const key of Object.keys(map)) {
      this.#path.push(`.${key}`);
      map[key] = map[key] === null ? emptyEntry(field) : this.#one(map[key], field);
      this.#path.pop();
    }
    return map;
  }

  #one(value: unknown, field: Field): unknown {
    switch (field.kind) {
      case 'message':
        if (!isObject(value)) return this.#mismatch(value, field, goType(field));
        this.message(value, field.type as ApiType);
        return value;
      case 'string':
        return typeof value === 'string' ? value : this.#mismatch(value, field, 'string');
      case 'bool':
        return typeof value === 'boolean' ? value : this.#mismatch(value, field, 'bool');
      case 'int32':
      case 'int64':
        return this.#integer(value, field);
      default:
        return this.#special(value, field);
    }
  }

  #integer(value: unknown, field: Field): unknown {
    if (typeof value !== 'number') return this.#mismatch(value, field, field.kind);
    const fits = Number.isInteger(value) && (field.kind === 'int64' ? Math.abs(value) <= 2 ** 63 : value === (value | 0));
    return fits ? value : this.#mismatch(value, field, field.kind, `number ${value}`);
  }

  #special(value: unknown, field: Field): unknown {
    switch (field.kind) {
      case 'quantity':
        return this.#quantity(value, field);
      case 'time':
      case 'microTime':
        return typeof value === 'string' ? this.#time(value, field) : this.#mismatch(value, field, 'string');
      case 'intOrString':
        if (typeof value === 'string') return value;
        return typeof value === 'number' && value === (value | 0) ? value : this.#mismatch(value, field, 'intstr.IntOrString');
      case 'double':
        return typeof value === 'number' ? value : this.#mismatch(value, field, 'float64');
      case 'bytes':
        if (typeof value !== 'string') return this.#mismatch(value, field, '[]uint8');
        return this.#base64(value);
      case 'strings':
        if (!Array.isArray(value) || value.some((v) => typeof v !== 'string' && v !== null))
          return this.#mismatch(value, field, '[]string');
        return value.map((v) => v ?? '');
      default:
        return value;
    }
  }

  #quantity(value: unknown, field: Field): unknown {
    if (typeof value !== 'string' && typeof value !== 'number') return this.#mismatch(value, field, 'resource.Quantity');
    try {
      return canonicalQuantity(value);
    } catch (err) {
      if (!(err instanceof QuantityError)) throw err;
      this.errors.push(err.message);
      return value;
    }
  }

  /** A MicroTime must have six digits after the point: Go clients cannot read any other, and one stored object would break their lists. */
  #time(text: string, { kind }: Field): string {
    if (kind === 'time' ? canonicalTime.test(text) : microTime.test(text)) return text;
    const instant = kind === 'time' ? parseInstant(text) : undefined;
    if (instant) return formatTime(instant) ?? text;
    const [layout, first] = kind === 'time' ? ['2006-01-02T15:04:05Z07:00', '2006'] : ['2006-01-02T15:04:05.000000Z07:00', '.000000'];
    this.errors.push(`parsing time ${JSON.stringify(text)} as "${layout}": cannot parse ${JSON.stringify(text)} as "${first}"`);
    return text;
  }

  /** As Go: line breaks are ignored, and the error names the first wrong byte. */
  #base64(text: string): string {
    const bare = text.includes('\n') || text.includes('\r') ? text.replace(/[\r\n]/g, '') : text;
    const bad = /[^A-Za-z0-9+/]/.exec(bare.replace(/={1,2}$/, ''));
    if (bad || bare.length % 4 !== 0)
      this.errors.push(`illegal base64 data at input byte ${bad ? bad.index : bare.length - (bare.length % 4)}`);
    return bare;
  }

  #mismatch(value: unknown, field: Field, type: string, shown: string = goValue(value)): unknown {
    // Go names neither positions nor keys here.
    const path = this.#path.filter((p) => typeof p === 'string' && !p.startsWith('.')).join('.');
    this.errors.push(`json: cannot unmarshal ${shown} into Go struct field ${field.owner}.${path} of type ${type}`);
    return value;
  }

  #fullPath(last: string): string {
    let out = '';
    for (const part of this.#path) out += typeof part === 'number' ? `[${part}]` : out === '' || part.startsWith('.') ? part : `.${part}`;
    return out === '' ? last : `${out}.${last}`;
  }
}

/** An empty list of this field is kept: it asks to remove all managers. */
const keptEmpty = 'managedFields';

const canonicalTime = /^\d{4}-(0\d|1[0-2])-([0-2]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$/;
const microTime = /^\d{4}-(0\d|1[0-2])-([0-2]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}(Z|[+-]\d\d:\d\d)$/;

/** What `omitempty` leaves out; structs (messages, quantities, times) it never does. */
function isOmitted(value: unknown, { shape, kind }: Field): boolean {
  if (shape === 'list') return Array.isArray(value) && value.length === 0;
  if (shape === 'map') return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
  return value === '' ? kind === 'string' || kind === 'bytes' : value === false || (value === 0 && kind !== 'intOrString');
}

function goValue(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

/** The Go type of one entry of a field. */
function goType(field: Field): string {
  switch (field.kind) {
    case 'message': {
      const parts = field.type?.name.split('.') ?? [];
      return parts.slice(-2).join('.');
    }
    case 'bytes':
      return '[]uint8';
    case 'quantity':
      return 'resource.Quantity';
    case 'intOrString':
      return 'intstr.IntOrString';
    case 'strings':
      return '[]string';
    default:
      return field.kind;
  }
}
