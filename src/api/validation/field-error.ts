/**
 * Errors of fields, and the checks that many validations share. Types, wording and the order of a message's parts are upstream's
 * (k8s.io/apimachinery/pkg/util/validation/field), because people and programs match on them.
 */

/** The `reason` of a cause in a Status; `errorWords` has the words that a person reads. */
export type FieldErrorType =
  | 'FieldValueRequired'
  | 'FieldValueInvalid'
  | 'FieldValueDuplicate'
  | 'FieldValueNotSupported'
  | 'FieldValueForbidden'
  | 'FieldValueTooLong'
  | 'FieldValueTooMany'
  | 'FieldValueNotFound'
  | 'FieldValueTypeInvalid'
  | 'InternalError';

export interface FieldError {
  readonly type: FieldErrorType;
  /** As in `spec.ports[0].nodePort` or `metadata.labels[app]`. */
  readonly path: string;
  /** The wrong value; not set where upstream leaves it out. */
  readonly value?: unknown;
  /** What is wrong, without the path and the value. May be empty. */
  readonly detail: string;
}

const errorWords: Record<FieldErrorType, string> = {
  FieldValueRequired: 'Required value',
  FieldValueInvalid: 'Invalid value',
  FieldValueDuplicate: 'Duplicate value',
  FieldValueNotSupported: 'Unsupported value',
  FieldValueForbidden: 'Forbidden',
  FieldValueTooLong: 'Too long',
  FieldValueTooMany: 'Too many',
  FieldValueNotFound: 'Not found',
  FieldValueTypeInvalid: 'Invalid value',
  InternalError: 'Internal error',
};

/** The errors of those checks that fail. */
export function failing(checks: readonly (readonly [fails: unknown, error: () => FieldError])[]): FieldError[] {
  const errors: FieldError[] = [];
  for (const [fails, error] of checks) if (fails) errors.push(error());
  return errors;
}

export function required(path: string, detail = ''): FieldError {
  return { type: 'FieldValueRequired', path, detail };
}

export function invalid(path: string, value: unknown, detail: string): FieldError {
  return { type: 'FieldValueInvalid', path, value: value ?? null, detail };
}

export function duplicate(path: string, value: unknown): FieldError {
  return { type: 'FieldValueDuplicate', path, value, detail: '' };
}

export function forbidden(path: string, detail: string): FieldError {
  return { type: 'FieldValueForbidden', path, detail };
}

export function tooLong(path: string, maxBytes: number): FieldError {
  return { type: 'FieldValueTooLong', path, detail: `may not be more than ${maxBytes} bytes` };
}

export function tooMany(path: string, actual: number, max: number): FieldError {
  return { type: 'FieldValueTooMany', path, value: actual, detail: `must have at most ${max} ${max === 1 ? 'item' : 'items'}` };
}

export function notFound(path: string, value: unknown): FieldError {
  return { type: 'FieldValueNotFound', path, value, detail: '' };
}

/** Prints `supported` in the given order: give it sorted where upstream has a set, whose values it sorts. */
export function notSupported(path: string, value: unknown, supported: readonly string[]): FieldError {
  const detail = supported.length > 0 ? `supported values: ${supported.map((one) => JSON.stringify(one)).join(', ')}` : '';
  return { type: 'FieldValueNotSupported', path, value: value ?? '', detail };
}

/** The message of one cause: `Invalid value: 80: provided port is not in the valid range`. */
export function bodyOf(error: FieldError): string {
  let text = errorWords[error.type];
  if ('value' in error && error.value !== undefined) {
    const { value } = error;
    text += `: ${typeof value === 'number' || typeof value === 'boolean' ? String(value) : JSON.stringify(value)}`;
  }
  return error.detail ? `${text}: ${error.detail}` : text;
}

/** Path and body: `spec.ports[0].nodePort: Invalid value: …`. The object as a whole is `[]`, as upstream has it. */
export function textOf(error: FieldError): string {
  return `${error.path || '[]'}: ${bodyOf(error)}`;
}

/** An Invalid for each message of a format check. */
export function invalids(path: string, value: unknown, messages: readonly string[]): FieldError[] {
  return messages.map((detail) => invalid(path, value, detail));
}

/** Required when the value is missing or empty, else an Invalid for each message of a format check. */
export function wellFormed<T extends string | number>(
  value: T | undefined,
  path: string,
  check: (value: T) => readonly string[],
): FieldError[] {
  return value ? invalids(path, value, check(value)) : [required(path)];
}

/** As `wellFormed`, for a field that may be left out. An empty text is checked. */
export function optionalWellFormed(value: string | undefined, path: string, check: (value: string) => readonly string[]): FieldError[] {
  return value === undefined ? [] : invalids(path, value, check(value));
}

/** As `wellFormed`, for a field that may be left out, empty or 0. */
export function emptyOrWellFormed<T extends string | number>(
  value: T | undefined,
  path: string,
  check: (value: T) => readonly string[],
): FieldError[] {
  return value ? invalids(path, value, check(value)) : [];
}

/** After so many errors of one list or map the rest is not checked. Upstream checks all: a body of 3 MB can have an answer of 60 MB. */
const mostErrors = 100;

/** The errors of each of `items`, up to a limit. */
function collected<T>(items: Iterable<T>, errorsOf: (item: T) => readonly FieldError[]): FieldError[] {
  const errors: FieldError[] = [];
  for (const item of items) {
    if (errors.length >= mostErrors) break;
    errors.push(...errorsOf(item));
  }
  return errors;
}

/** The errors of each item, with its path: `spec.ports[0]`. */
export function eachOf<T>(
  list: readonly T[] | undefined,
  path: string,
  errorsOf: (item: T, path: string, index: number) => FieldError[],
): FieldError[] {
  return collected((list ?? []).entries(), ([index, item]) => errorsOf(item, `${path}[${index}]`, index));
}

/** The errors of each entry of a map. */
export function eachEntry<T>(
  map: Readonly<Record<string, T>> | undefined,
  errorsOf: (key: string, value: T) => readonly FieldError[],
): FieldError[] {
  return collected(Object.entries(map ?? {}), ([key, value]) => errorsOf(key, value));
}

/** A Required for each of `keys` that has no value: none, an empty text, or a list without entries. */
export function needed<T extends object>(object: T, path: string, ...keys: (keyof T & string)[]): FieldError[] {
  return keys
    .filter((key) => !object[key] || (Array.isArray(object[key]) && object[key].length === 0))
    .map((key) => required(`${path}.${key}`));
}

/** A TooMany when a list is longer than it may be. */
export function atMost(list: readonly unknown[] | undefined, path: string, max: number): FieldError[] {
  return list !== undefined && list.length > max ? [tooMany(path, list.length, max)] : [];
}

/** Unsupported unless it is one of `supported`; Required when it is missing. */
export function oneOf(value: string | undefined, path: string, supported: readonly string[]): FieldError[] {
  if (!value) return [required(path)];
  return supported.includes(value) ? [] : [notSupported(path, value, supported)];
}

/** As `oneOf`, for a field that may be left out. An empty text is an error: where Go would leave it out, the decoder has dropped it. */
export function optionalOneOf(value: string | undefined, path: string, supported: readonly string[]): FieldError[] {
  return value === undefined || supported.includes(value) ? [] : [notSupported(path, value, supported)];
}

export function nonNegative(value: number | undefined, path: string): FieldError[] {
  return value !== undefined && value < 0 ? [invalid(path, value, 'must be greater than or equal to 0')] : [];
}

/** `nonNegative` for each of these fields of an object. */
export function nonNegatives<T extends object>(object: T | undefined, path: string, ...keys: (keyof T & string)[]): FieldError[] {
  return keys.flatMap((key) => nonNegative(object?.[key] as number | undefined, `${path}.${key}`));
}

export function positive(value: number, path: string): FieldError[] {
  return value > 0 ? [] : [invalid(path, value, 'must be greater than zero')];
}

export function between(value: number | undefined, path: string, min: number, max: number): FieldError[] {
  return value !== undefined && (value < min || value > max) ? [invalid(path, value, `must be between ${min} and ${max}, inclusive`)] : [];
}

/** A function that tells whether it was called with the same value before. */
export function repeats<T>(): (value: T) => boolean {
  const seen = new Set<T>();
  return (value) => seen.size === seen.add(value).size;
}

/** A Duplicate for every value that came before, empty ones aside. `field` is where it stands in an entry: `.type`. */
export function duplicates(
  values: readonly (string | undefined)[],
  path: string,
  field: string = '',
  isRepeated: (value: string) => boolean = repeats(),
): FieldError[] {
  return eachOf(values, path, (value, at) => (value && isRepeated(value) ? [duplicate(`${at}${field}`, value)] : []));
}

/** `duplicates` of the names of entries. */
export function duplicateNames(
  list: readonly { readonly name?: string | undefined }[] = [],
  path: string,
  field: string = '.name',
  isRepeated?: (name: string) => boolean,
): FieldError[] {
  const names = list.map(({ name }) => name);
  return duplicates(names, path, field, isRepeated);
}
