/**
 * What a structural schema makes of an object before it is validated: unknown fields go, nulls that may not be go, defaults come. All in
 * place, with upstream's rules (apiextensions-apiserver/pkg/apiserver/schema: pruning, defaulting).
 */

import { cloneJson } from '../codec/json-clone.ts';
import { isObject, type Json } from '../codec/json-object.ts';
import { bodyLimits } from '../codec/limits.ts';
import type { JsonSchema } from '../schema/schema.ts';

/** What every object has without its schema saying so. */
const metaFields: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata']);

/** The schema of one property, or that of all that have none of their own. */
export function propertyOf(schema: JsonSchema | undefined, name: string): JsonSchema | undefined {
  const { properties, additionalProperties } = schema ?? {};
  if (properties && Object.hasOwn(properties, name)) return properties[name];
  return typeof additionalProperties === 'object' ? additionalProperties : undefined;
}

/** Removes the fields that the schema does not have, and returns their paths. `isRoot`: of a whole object, whose metadata is not looked at. */
export function prune(value: unknown, schema: JsonSchema, isRoot: boolean): string[] {
  const pruned: string[] = [];
  pruneAt(value, schema, isRoot, '', pruned);
  return pruned.sort();
}

function pruneAt(value: unknown, schema: JsonSchema | undefined, isRoot: boolean, path: string, pruned: string[]): void {
  const isWhole = isRoot || schema?.['x-kubernetes-embedded-resource'] === true;
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) pruneAt(item, schema?.items, false, `${path}[${i}]`, pruned);
    return;
  }
  if (!isObject(value)) return;
  for (const name of Object.keys(value)) {
    if (isWhole && metaFields.has(name)) continue;
    const at = path === '' ? name : `${path}.${name}`;
    if (isKnown(schema, name)) pruneAt(value[name], propertyOf(schema, name), false, at, pruned);
    else if (!schema?.['x-kubernetes-preserve-unknown-fields']) {
      delete value[name];
      pruned.push(at);
    }
  }
}

function isKnown(schema: JsonSchema | undefined, name: string): boolean {
  return propertyOf(schema, name) !== undefined || schema?.additionalProperties === true;
}

/** Removes nulls where the schema has no null; those that have a default wait for it. */
function dropNulls(value: unknown, schema: JsonSchema | undefined): void {
  if (Array.isArray(value)) for (const item of value) dropNulls(item, schema?.items);
  if (!isObject(value)) return;
  for (const name of Object.keys(value)) {
    const property = propertyOf(schema, name);
    if (value[name] === null && property && !property.nullable && property.default === undefined) delete value[name];
    else dropNulls(value[name], property);
  }
}

/** Fills in defaults. False when there are more than an object may have values: the rest is left out. */
export function applyDefaults(object: Json, schema: JsonSchema): boolean {
  dropNulls(object, schema);
  const defaults = new Defaults();
  defaults.fill(object, schema);
  return defaults.left >= 0;
}

class Defaults {
  /** A few bytes of an object may ask for a large default many times. */
  left: number = bodyLimits.values;

  fill(value: unknown, schema: JsonSchema | undefined): void {
    if (!schema || this.left < 0) return;
    if (Array.isArray(value)) this.#list(value, schema.items);
    else if (isObject(value)) this.#object(value, schema);
  }

  #list(list: unknown[], items: JsonSchema | undefined): void {
    for (const [i, item] of list.entries()) {
      if (item === null && items?.default !== undefined && !items.nullable) list[i] = this.#copy(items.default);
      this.fill(list[i], items);
    }
  }

  #object(object: Json, schema: JsonSchema): void {
    for (const [name, property] of Object.entries(schema.properties ?? {})) {
      if (property.default === undefined || this.left < 0) continue;
      const isMissing = !Object.hasOwn(object, name) || (object[name] === null && !property.nullable);
      if (isMissing) object[name] = this.#copy(property.default);
    }
    for (const name of Object.keys(object)) {
      const property = propertyOf(schema, name);
      if (object[name] === null && property?.default !== undefined && !property.nullable) object[name] = this.#copy(property.default);
      this.fill(object[name], property);
    }
  }

  #copy(value: unknown): unknown {
    this.left -= sizeOf(value);
    return this.left < 0 ? undefined : cloneJson(value);
  }
}

const sizes = new WeakMap<object, number>();

/** How many values a default has. */
function sizeOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  const known = sizes.get(value);
  if (known !== undefined) return known;
  const size = Object.values(value).reduce<number>((sum, one) => sum + sizeOf(one), 1);
  sizes.set(value, size);
  return size;
}
