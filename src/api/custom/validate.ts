/**
 * Whether an object is as its schema says, with the messages of k8s.io/kube-openapi/pkg/validation. Of an update, what is as it was is not
 * looked at (KEP-4008): objects from before a schema became stricter can still be changed elsewhere.
 */
import { isDeepStrictEqual } from 'node:util';
import { isObject, type Json } from '../codec/json-object.ts';
import type { JsonSchema } from '../schema/schema.ts';
import { duplicate, type FieldError, invalid, notSupported, required, tooLong, tooMany } from '../validation/field-error.ts';
import { hasFormat, knowsFormat } from './format.ts';
import { patternMatches, patternSize } from './pattern.ts';
import { propertyOf } from './structural.ts';

/** More errors than this tell nothing more. */
const mostErrors = 100;
/** Steps of one validation: schemas may ask for everything many times over. Within the limits of bodies, sound ones take a few per value. */
const mostSteps = 1_000_000;

/** Errors of a value, and how many checks it passed: of several schemas that all refuse it, the one is told of that came furthest. */
class Result {
  readonly errors: FieldError[] = [];
  passed = 0;

  add(...errors: readonly FieldError[]): void {
    for (const error of errors) {
      const isKnown = this.errors.some((one) => one.path === error.path && one.detail === error.detail && one.type === error.type);
      if (!isKnown && this.errors.length < mostErrors) this.errors.push(error);
    }
  }

  merge(other: Result): void {
    this.passed += other.passed;
    this.add(...other.errors);
  }
}

/** Errors of an object. `old` is what it was before an update. */
export function valueErrors(object: unknown, schema: JsonSchema, old?: unknown): FieldError[] {
  const validator = new Validator();
  const { errors } = validator.validate(object, schema, '', old);
  if (validator.steps > mostSteps) return [invalid('', '', 'the schema asks for too much to be checked: the object is too large for it')];
  return [...errors, ...listErrors(object, schema, '', old)];
}

/** The type of a value, as JSON schemas and as Go has it. */
function typesOf(value: unknown): { readonly type: string; readonly format: string } {
  if (typeof value === 'string') return { type: 'string', format: '' };
  if (typeof value === 'boolean') return { type: 'boolean', format: '' };
  if (typeof value === 'number')
    return Number.isInteger(value) ? { type: 'integer', format: 'int64' } : { type: 'number', format: 'float64' };
  return { type: Array.isArray(value) ? 'array' : 'object', format: '' };
}

function ofType(path: string, type: string, shown: string): FieldError {
  const at = nameOf(path);
  return {
    type: 'FieldValueTypeInvalid',
    path: at,
    value: shown,
    detail: `${at} in body must be of type ${type}: ${JSON.stringify(shown)}`,
  };
}

/** Go leaves the dot of what lies in the object itself away. */
function nameOf(path: string): string {
  return path.startsWith('.') ? path.slice(1) : path;
}

/** Of a value of another type than its schema's; null where the schema says nothing of types. */
function typeError(value: unknown, schema: JsonSchema, path: string): FieldError | undefined | null {
  const wanted = wantedTypes(schema);
  const format = schema.format && knowsFormat(schema.type ?? '', schema.format) ? schema.format : '';
  if (wanted.length === 0 && format === '') return null;
  if (value === null) return wanted.length === 0 || schema.nullable ? undefined : ofType(path, wanted.join(','), 'null');
  const is = typesOf(value);
  if (wanted.includes(is.type) || (is.type === 'integer' && wanted.includes('number'))) return undefined;
  return mismatch(is, wanted, format, path);
}

function mismatch(is: { type: string; format: string }, wanted: readonly string[], format: string, path: string): FieldError | undefined {
  const ofTypes = ofType(path, wanted.join(','), is.type);
  if (format === '') return ofTypes;
  // Formats are of texts, and come before types.
  const isTextual = is.type === 'string' || is.type === 'array';
  if (!isTextual) return is.format === format ? ofTypes : ofType(path, format, is.format);
  return wanted.includes('number') || wanted.includes('integer') ? ofTypes : undefined;
}

function wantedTypes(schema: JsonSchema): readonly string[] {
  if (schema['x-kubernetes-int-or-string']) return ['integer', 'string'];
  return schema.type ? [schema.type] : [];
}

class Validator {
  steps = 0;

  validate(value: unknown, schema: JsonSchema, path: string, old?: unknown): Result {
    const result = new Result();
    if (++this.steps > mostSteps) return result;
    // As upstream, which takes the value of before for what is valid.
    if (old !== undefined && value !== null && typeof value === typeof old && isDeepStrictEqual(value, old)) return result;
    this.#type(value, schema, path, result);
    this.#combined(value, schema, path, old, result);
    if (value === null) return result;
    if (typeof value === 'string') this.#text(value, schema, path, result);
    else if (typeof value === 'number') this.#number(value, schema, path, result);
    else if (Array.isArray(value)) this.#list(value, schema, path, old, result);
    if (schema.enum) this.#enum(value, schema.enum, path, result);
    if (isObject(value)) this.#object(value, schema, path, old, result);
    return result;
  }

  #type(value: unknown, schema: JsonSchema, path: string, result: Result): void {
    const wrong = typeError(value, schema, path);
    if (wrong) result.add(wrong);
    else if (wrong === undefined) result.passed++;
  }

  #combined(value: unknown, schema: JsonSchema, path: string, old: unknown, result: Result): void {
    const { anyOf, oneOf, allOf, not } = schema;
    const shown = JSON.stringify(nameOf(path));
    const broken = (what: string): void => result.add(invalid('<nil>', '', `${shown} ${what}`));
    if (anyOf) {
      const { valid, best } = this.#several(value, anyOf, path, old, true);
      if (valid === 0 && anyOf.length > 0) broken('must validate at least one schema (anyOf)');
      if (best) result.merge(best);
    }
    if (oneOf) this.#oneOf(value, oneOf, path, old, result, broken);
    if (allOf) this.#allOf(value, allOf, path, old, result, broken);
    if (not && this.validate(value, not, path, old).errors.length === 0) broken('must not validate the schema (not)');
    result.passed++;
  }

  #oneOf(value: unknown, schemas: readonly JsonSchema[], path: string, old: unknown, result: Result, broken: (what: string) => void): void {
    const { valid, best } = this.#several(value, schemas, path, old, false);
    const found = valid === 0 ? 'Found none valid' : `Found ${valid} valid alternatives`;
    if (valid !== 1 && schemas.length > 0) broken(`must validate one and only one schema (oneOf). ${found}`);
    if (valid < 2 && best) result.merge(best);
  }

  #allOf(value: unknown, schemas: readonly JsonSchema[], path: string, old: unknown, result: Result, broken: (what: string) => void): void {
    const found = schemas.map((one) => this.validate(value, one, path, old));
    const valid = found.filter(({ errors }) => errors.length === 0).length;
    for (const one of found) result.merge(one);
    if (valid < schemas.length) broken(`must validate all the schemas (allOf)${valid === 0 ? '. None validated' : ''}`);
  }

  /** How many of the schemas the value passes, and what is told: the first that it passes, or what it came furthest with. */
  #several(
    value: unknown,
    schemas: readonly JsonSchema[],
    path: string,
    old: unknown,
    untilFirst: boolean,
  ): { valid: number; best: Result | undefined } {
    let valid = 0;
    let best: Result | undefined;
    for (const schema of schemas) {
      const found = this.validate(value, schema, path, old);
      if (found.errors.length === 0) {
        if (valid++ === 0) best = found;
        if (untilFirst) break;
      } else if (valid === 0 && (!best || found.passed > best.passed)) best = found;
    }
    return { valid, best };
  }

  #text(value: string, schema: JsonSchema, path: string, result: Result): void {
    const { format, type = '' } = schema;
    const at = nameOf(path);
    this.steps += value.length / 1000;
    result.add(...this.#lengthAndPattern(value, schema, at));
    if (!format || !knowsFormat(type, format)) return;
    if (hasFormat(value, format)) result.passed++;
    else result.add(ofType(at, format, value));
  }

  /** As upstream, the first that is wrong. */
  #lengthAndPattern(
    value: string,
    { minLength = 0, maxLength = Number.MAX_SAFE_INTEGER, pattern = '' }: JsonSchema,
    at: string,
  ): FieldError[] {
    // In characters, as Go counts them.
    const length = minLength > 0 || maxLength < value.length ? [...value].length : 0;
    if (length > maxLength) return [tooLong(at, maxLength)];
    if (length < minLength) return [invalid(at, value, `${at} in body should be at least ${minLength} chars long`)];
    if (pattern === '') return [];
    this.steps += ((value.length + 1) * patternSize(pattern)) / 200;
    if (this.steps > mostSteps || patternMatches(pattern, value)) return [];
    return [invalid(at, value, `${at} in body should match '${pattern}'`)];
  }

  #number(value: number, schema: JsonSchema, path: string, result: Result): void {
    const { minimum = -Infinity, maximum = Infinity, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
    const at = nameOf(path);
    if (!isInRange(value, schema)) {
      const how = schema.format ? `with format ${schema.format}` : '(default format)';
      result.add(invalid('<nil>', '', `Checked value must be of type ${schema.type} ${how} in ${at}`));
    }
    const refuse = (what: string): void => result.add(invalid(at, value, `${at} in body should be ${what}`));
    if (multipleOf !== undefined && !isMultiple(value, multipleOf)) refuse(`a multiple of ${multipleOf}`);
    if (value < minimum || (exclusiveMinimum && value === minimum))
      refuse(`${exclusiveMinimum ? 'greater than' : 'greater than or equal to'} ${minimum}`);
    if (value > maximum || (exclusiveMaximum && value === maximum))
      refuse(`${exclusiveMaximum ? 'less than' : 'less than or equal to'} ${maximum}`);
    result.passed++;
  }

  #list(list: readonly unknown[], schema: JsonSchema, path: string, old: unknown, result: Result): void {
    const { items, minItems, maxItems } = schema;
    const at = nameOf(path);
    const oldItem = items ? correlated(schema, old) : undefined;
    if (items) for (const [i, item] of list.entries()) result.merge(this.validate(item, items, `${path}[${i}]`, oldItem?.(item)));
    if (minItems !== undefined && list.length < minItems)
      result.add(invalid(at, list.length, `${at} in body should have at least ${minItems} items`));
    if (maxItems !== undefined && list.length > maxItems) result.add(tooMany(at, list.length, maxItems));
    result.passed++;
  }

  #enum(value: unknown, values: readonly unknown[], path: string, result: Result): void {
    const { scalars, others } = choicesOf(values);
    this.steps += others.length;
    if (scalars.has(value) || this.steps > mostSteps || others.some((one) => isDeepStrictEqual(one, value))) return;
    const at = nameOf(path);
    result.add(
      notSupported(
        at,
        value,
        values.slice(0, mostErrors).map((one) => (typeof one === 'string' ? one : JSON.stringify(one))),
      ),
    );
  }

  #object(object: Json, schema: JsonSchema, path: string, old: unknown, result: Result): void {
    const names = Object.keys(object);
    const at = nameOf(path);
    const { minProperties = 0, maxProperties = names.length } = schema;
    if (names.length < minProperties)
      result.add(invalid(at, names.length, `${at} in body should have at least ${minProperties} properties`));
    if (names.length > maxProperties) result.add(tooMany(at, names.length, maxProperties));
    for (const name of names) {
      const property = propertyOf(schema, name);
      if (property)
        result.merge(this.validate(object[name], property, path === '' ? name : `${path}.${name}`, memberOf(old, name, schema)));
    }
    for (const name of schema.required ?? []) if (!Object.hasOwn(object, name)) result.add(required(nameOf(`${path}.${name}`)));
  }
}

/** What a member was before; a map that is one value has none. */
function memberOf(old: unknown, name: string, schema: JsonSchema): unknown {
  return isObject(old) && schema['x-kubernetes-map-type'] !== 'atomic' && Object.hasOwn(old, name) ? old[name] : undefined;
}

interface Choices {
  readonly scalars: ReadonlySet<unknown>;
  readonly others: readonly unknown[];
}

const choices = new WeakMap<readonly unknown[], Choices>();

/** The values of an enum, for each to be looked up and not looked for. */
function choicesOf(values: readonly unknown[]): Choices {
  let found = choices.get(values);
  if (!found) {
    const isScalar = (one: unknown): boolean => typeof one !== 'object' || one === null;
    found = { scalars: new Set(values.filter(isScalar)), others: values.filter((one) => !isScalar(one)) };
    choices.set(values, found);
  }
  return found;
}

/** Whether the number is one of the format's. */
function isInRange(value: number, { type, format }: JsonSchema): boolean {
  if (type !== 'integer') return format !== 'float' || Number.isFinite(Math.fround(value));
  if (!Number.isInteger(value)) return false;
  return format === 'int32' ? value === (value | 0) : Math.abs(value) <= 2 ** 63;
}

function isMultiple(value: number, factor: number): boolean {
  if (factor <= 0) return false;
  const times = factor < 1 ? (1 / factor) * value : value / factor;
  return Math.abs(times - Math.round(times)) < 1e-9 * Math.max(1, Math.abs(times));
}

/** What names an entry of a list: its keys, or for a set the entry itself. */
function keyOf(item: unknown, schema: JsonSchema): string | undefined {
  if (schema['x-kubernetes-list-type'] === 'set') return JSON.stringify(item);
  if (schema['x-kubernetes-list-type'] !== 'map' || !isObject(item)) return undefined;
  return JSON.stringify((schema['x-kubernetes-list-map-keys'] ?? []).map((name) => item[name] ?? null));
}

/** Which entry of the list of before is this one's. Only lists with keys have such. */
function correlated(schema: JsonSchema, old: unknown): ((item: unknown) => unknown) | undefined {
  if (!Array.isArray(old) || schema['x-kubernetes-list-type'] !== 'map') return undefined;
  const before = new Map(old.map((item) => [keyOf(item, schema), item]));
  return (item) => before.get(keyOf(item, schema));
}

/** Entries of sets and of lists with keys that are there twice. */
function listErrors(value: unknown, schema: JsonSchema | undefined, path: string, old: unknown): FieldError[] {
  if (!schema || (old !== undefined && isDeepStrictEqual(value, old))) return [];
  if (Array.isArray(value)) {
    const errors = repeated(value, schema, path);
    const before = correlated(schema, old);
    for (const [i, item] of value.entries()) errors.push(...listErrors(item, schema.items, `${path}[${i}]`, before?.(item)));
    return errors.slice(0, mostErrors);
  }
  if (!isObject(value)) return [];
  return Object.keys(value)
    .flatMap((name) => {
      const before = isObject(old) ? old[name] : undefined;
      return listErrors(value[name], propertyOf(schema, name), path === '' ? name : `${path}.${name}`, before);
    })
    .slice(0, mostErrors);
}

function repeated(list: readonly unknown[], schema: JsonSchema, path: string): FieldError[] {
  const seen = new Set<string>();
  return list.flatMap((item, i) => {
    const key = keyOf(item, schema);
    if (key === undefined || seen.size < seen.add(key).size) return [];
    const keys = schema['x-kubernetes-list-map-keys'] ?? [];
    const shown =
      isObject(item) && schema['x-kubernetes-list-type'] === 'map'
        ? Object.fromEntries(keys.filter((name) => name in item).map((name) => [name, item[name]]))
        : item;
    return [duplicate(`${path}[${i}]`, shown)];
  });
}
