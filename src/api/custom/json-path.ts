/**
 * The paths by which definitions name values of objects: k8s.io/client-go/util/jsonpath, but for what makes texts (braces, range). Examples:
 * `.spec.replicas`, `.metadata.labels['app']`, `.status.conditions[?(@.type=="Ready")].status`, `.spec.ports[0:2]`, `..image`.
 */
import { isObject } from '../codec/json-object.ts';

type Step =
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'all' }
  | { readonly kind: 'slice'; readonly from: number | undefined; readonly to: number | undefined; readonly by: number }
  | { readonly kind: 'index'; readonly at: number }
  | { readonly kind: 'filter'; readonly left: Operand; readonly operator: string; readonly right: Operand }
  | { readonly kind: 'everywhere' };

type Operand = { readonly path: readonly Step[] } | { readonly value: unknown };

export type JsonPath = readonly Step[];

const filter = /^\?\((.*)\)$/s;
const comparison = /^(.*?)(==|!=|<=|>=|<|>)(.*)$/s;
const slice = /^(-?\d+)?:(-?\d+)?(?::(-?\d+))?$/;

/** A filter may hold a path that has a filter, and so on: each is read once more for every one around it. */
const longestPath = 4096;

/** Undefined for a text that is no such path, or a longer one than anybody needs. */
export function parseJsonPath(text: string): JsonPath | undefined {
  if (text.length > longestPath) return undefined;
  const steps: Step[] = [];
  for (let at = 0; at < text.length; ) {
    const found = text[at] === '[' ? bracketAt(text, at) : dottedAt(text, at);
    if (!found) return undefined;
    steps.push(...found.steps);
    at = found.next;
  }
  return steps;
}

interface Found {
  readonly steps: readonly Step[];
  readonly next: number;
}

function bracketAt(text: string, at: number): Found | undefined {
  const end = endOfBracket(text, at);
  const step = end < 0 ? undefined : bracket(text.slice(at + 1, end).trim());
  return step && { steps: [step], next: end + 1 };
}

/** `.name`, `..name`, `.*`; at the begin the dot may be left out. */
function dottedAt(text: string, from: number): Found | undefined {
  if (text[from] !== '.' && from > 0) return undefined;
  const isEverywhere = text.startsWith('..', from);
  const [name, next] = fieldAt(text, from + (isEverywhere ? 2 : text[from] === '.' ? 1 : 0));
  const last: Step[] = name === '*' ? [{ kind: 'all' }] : name === '' ? [] : [{ kind: 'field', name }];
  return { steps: isEverywhere ? [{ kind: 'everywhere' }, ...last] : last, next };
}

/** A name up to the next dot or bracket that no backslash stands before. */
function fieldAt(text: string, from: number): [name: string, next: number] {
  let name = '';
  let at = from;
  for (; at < text.length && text[at] !== '.' && text[at] !== '['; at++) {
    if (text[at] === '\\') at++;
    name += text[at] ?? '';
  }
  return [name, at];
}

/** Where the bracket that opens at `from` closes; quotes hide brackets. */
function endOfBracket(text: string, from: number): number {
  let quote = '';
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const char = text[at] as string;
    if (quote !== '') {
      if (char === quote) quote = '';
    } else if (char === '"' || char === "'") quote = char;
    else if (char === '[') depth++;
    else if (char === ']' && --depth === 0) return at;
  }
  return -1;
}

function bracket(inner: string): Step | undefined {
  if (inner === '*') return { kind: 'all' };
  if (/^-?\d+$/.test(inner)) return { kind: 'index', at: Number(inner) };
  const [, condition] = filter.exec(inner) ?? [];
  if (condition !== undefined) return filterOf(condition);
  const range = slice.exec(inner);
  if (range) {
    const [from, to, by] = range.slice(1).map((one) => (one === undefined ? undefined : Number(one)));
    return by === 0 ? undefined : { kind: 'slice', from, to, by: by ?? 1 };
  }
  const name = unquoted(inner);
  return name === undefined ? undefined : { kind: 'field', name };
}

function filterOf(condition: string): Step | undefined {
  const [, first = condition, operator = 'exists', second = 'true'] = comparison.exec(condition) ?? [];
  const [left, right] = [operand(first.trim()), operand(second.trim())];
  return left && right && { kind: 'filter', left, operator, right };
}

function operand(text: string): Operand | undefined {
  if (text.startsWith('@')) {
    const path = parseJsonPath(text.slice(1));
    return path && { path };
  }
  const quoted = unquoted(text);
  if (quoted !== undefined) return { value: quoted };
  if (text === 'true' || text === 'false') return { value: text === 'true' };
  return text !== '' && Number.isFinite(Number(text)) ? { value: Number(text) } : undefined;
}

function unquoted(text: string): string | undefined {
  const quote = text[0];
  if (text.length < 2 || (quote !== "'" && quote !== '"') || text.at(-1) !== quote) return undefined;
  return text.slice(1, -1).replace(/\\(.)/g, '$1');
}

/** So many values are looked at for one path, then no more: each further `..` of a hostile one multiplies them. */
const mostLooks = 20_000;

/** The values at a path; none where something on the way is missing. */
export function valuesAt(object: unknown, path: JsonPath): Iterable<unknown> {
  return new Walk().values(object, path, 0);
}

/** Undefined where there is none. */
export function firstAt(object: unknown, path: JsonPath): unknown {
  for (const value of valuesAt(object, path)) return value;
  return undefined;
}

class Walk {
  #left = mostLooks;

  *values(value: unknown, path: JsonPath, at: number): Generator<unknown> {
    if (this.#left-- <= 0) return;
    const step = path[at];
    if (!step) {
      yield value;
      return;
    }
    if (step.kind !== 'everywhere') {
      for (const one of this.#next(value, step)) yield* this.values(one, path, at + 1);
      return;
    }
    yield* this.values(value, path, at + 1);
    for (const one of entriesOf(value)) yield* this.values(one, path, at);
  }

  #next(value: unknown, step: Exclude<Step, { kind: 'everywhere' }>): readonly unknown[] {
    switch (step.kind) {
      case 'field':
        return isObject(value) && Object.hasOwn(value, step.name) ? [value[step.name]] : [];
      case 'all':
        return entriesOf(value);
      case 'index': {
        const found = Array.isArray(value) ? value.at(step.at) : undefined;
        return found === undefined ? [] : [found];
      }
      case 'slice':
        return Array.isArray(value) ? value.slice(step.from, step.to).filter((_, i) => i % Math.abs(step.by) === 0) : [];
      case 'filter':
        return Array.isArray(value) ? value.filter((item) => this.#passes(item, step)) : [];
    }
  }

  #passes(item: unknown, { left, operator, right }: Step & { kind: 'filter' }): boolean {
    const [a, b] = [left, right].map((one) => ('path' in one ? this.values(item, one.path, 0).next().value : one.value));
    return holds(a, operator, b);
  }
}

function entriesOf(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  return isObject(value) ? Object.values(value) : [];
}

function holds(a: unknown, operator: string, b: unknown): boolean {
  if (operator === 'exists') return a !== undefined;
  if (a === undefined || b === undefined || typeof a !== typeof b) return operator === '!=' && a !== undefined;
  switch (operator) {
    case '==':
      return a === b;
    case '!=':
      return a !== b;
    case '<':
      return (a as number) < (b as number);
    case '<=':
      return (a as number) <= (b as number);
    case '>':
      return (a as number) > (b as number);
    default:
      return (a as number) >= (b as number);
  }
}
