/**
 * The fields of a configuration file of Kubernetes' programs, as a table: whatever else stands in a file is refused by name, for a field
 * without effect would look as if it had one.
 */
import { KnownError } from '../errors/known-error.ts';

/** What a field holds: a scalar, a list of texts, fields of its own, a list of such, or what its owner reads. */
export type Field = 'text' | 'number' | 'switch' | 'texts' | 'free' | Fields | readonly [Fields];
export interface Fields {
  readonly [name: string]: Field;
}

export function badConfig(what: string, why: string, hint: string): KnownError {
  return new KnownError('BAD_CONFIG', `Cannot use ${what}: ${why}`, { hint });
}

export function isTree(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const scalars: Readonly<Record<string, (value: unknown) => boolean>> = {
  text: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  switch: (value) => typeof value === 'boolean',
  texts: (value) => Array.isArray(value) && value.every((one) => typeof one === 'string'),
  free: () => true,
};

/** Throws BAD_CONFIG for what `field` does not take; a null is as good as absent. */
export function checkField(value: unknown, field: Field, path: string): void {
  if (value === null || value === undefined) return;
  if (typeof field === 'string') checkScalar(value, field, path);
  else if (isListOf(field)) checkList(value, field[0], path);
  else checkFields(value, field, path);
}

function isListOf(field: Field): field is readonly [Fields] {
  return Array.isArray(field);
}

function wrong(path: string, wanted: string): KnownError {
  return badConfig(`"${path}"`, `it is no ${wanted}`, "See upstream's reference for this field");
}

const words: Readonly<Record<string, string>> = { text: 'text', number: 'number', switch: 'true or false', texts: 'list of texts' };

function checkScalar(value: unknown, field: string, path: string): void {
  if (!scalars[field]?.(value)) throw wrong(path, words[field] ?? field);
}

function checkList(value: unknown, fields: Fields, path: string): void {
  if (!Array.isArray(value)) throw wrong(path, 'list');
  for (const [i, one] of value.entries()) {
    // An empty item is no field that is absent: whoever goes through the list would read on in it.
    if (one === null) throw wrong(`${path}[${i}]`, 'object');
    checkField(one, fields, `${path}[${i}]`);
  }
}

function checkFields(value: unknown, fields: Fields, path: string): void {
  if (!isTree(value)) throw wrong(path, 'object');
  for (const [name, under] of Object.entries(value)) {
    const known = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (known === undefined)
      throw badConfig(
        `"${path}.${name}"`,
        'Fairlead has no such setting',
        `Take it out; what it takes there is ${Object.keys(fields).join(', ')}`,
      );
    checkField(under, known, `${path}.${name}`);
  }
}

/** The same without fields that are null. */
export function withoutNulls(fields: Readonly<Record<string, unknown>>): object {
  return JSON.parse(JSON.stringify(fields, (_name, value: unknown) => value ?? undefined)) as object;
}
