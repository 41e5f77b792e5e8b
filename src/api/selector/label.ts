/**
 * Label selectors: the text form of `labelSelector=` (`app=web,tier in (a,b),!canary`) and the object form of `spec.selector`.
 * Grammar and meaning as in the Kubernetes documentation of labels; `Gt`/`Lt` (`a>1`) exist only in the text form.
 */
import type { LabelSelector } from '../schema/types.ts';
import { isLabelValue, isQualifiedName } from '../validation/names.ts';

export type Labels = Readonly<Record<string, string>>;
export type LabelOperator = 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'Gt' | 'Lt';

export interface LabelTerm {
  readonly key: string;
  readonly op: LabelOperator;
  readonly values: readonly string[];
}

/** All terms must hold. */
export interface Selector {
  readonly terms: readonly LabelTerm[];
  /** True when there is no term: everything matches. */
  readonly empty: boolean;
  matches(labels: Labels | undefined): boolean;
}

/** A text or object that is no selector. The message is upstream's. */
export class SelectorError extends Error {
  override readonly name = 'SelectorError';
}

const noLabels: Labels = {};

/** Matches everything. */
export const everything: Selector = { terms: [], empty: true, matches: () => true };
/** Matches nothing: what a nil LabelSelector means. */
export const nothing: Selector = { terms: [], empty: false, matches: () => false };

function termMatches(term: LabelTerm, labels: Labels): boolean {
  const has = Object.hasOwn(labels, term.key);
  const value = has ? (labels[term.key] ?? '') : '';
  switch (term.op) {
    case 'In':
      return has && term.values.includes(value);
    case 'NotIn':
      return !has || !term.values.includes(value);
    case 'Exists':
      return has;
    case 'DoesNotExist':
      return !has;
    default: {
      if (!has || !/^[+-]?\d+$/.test(value)) return false;
      const bound = BigInt(term.values[0] ?? '0');
      return term.op === 'Gt' ? BigInt(value) > bound : BigInt(value) < bound;
    }
  }
}

function selectorOf(terms: readonly LabelTerm[]): Selector {
  if (terms.length === 0) return everything;
  const [first] = terms;
  // Almost every selector of a Service or ReplicaSet is one `key=value`: compare without a loop.
  if (terms.length === 1 && first?.op === 'In' && first.values.length === 1) {
    const { key } = first;
    const value = first.values[0];
    return { terms, empty: false, matches: (labels) => labels !== undefined && Object.hasOwn(labels, key) && labels[key] === value };
  }
  return { terms, empty: false, matches: (labels) => terms.every((t) => termMatches(t, labels ?? noLabels)) };
}

function checkKey(key: string): void {
  refuse('key', key, isQualifiedName(key));
}

function checkValue(key: string, value: string): void {
  refuse(`values[0][${key}]`, value, isLabelValue(value));
}

function refuse(path: string, value: string, errors: readonly string[]): void {
  if (errors.length > 0) throw new SelectorError(`${path}: Invalid value: ${JSON.stringify(value)}: ${errors.join('; ')}`);
}

const tokenPattern = /\s*(==|!=|=|!|,|\(|\)|>|<|[^\s=!,()<>]+)/y;

function tokenize(text: string): string[] {
  const out: string[] = [];
  tokenPattern.lastIndex = 0;
  for (let m = tokenPattern.exec(text); m; m = tokenPattern.exec(text)) out.push(m[1] ?? '');
  return out;
}

const symbols: ReadonlySet<string> = new Set(['==', '!=', '=', '!', ',', '(', ')', '>', '<']);

class TextParser {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = tokenize(text);
  }

  #peek(): string | undefined {
    return this.#tokens[this.#at];
  }

  #fail(expected: string): never {
    throw new SelectorError(`found '${this.#peek() ?? ''}', expected: ${expected}`);
  }

  #word(expected: string): string {
    const token = this.#peek();
    if (token === undefined || symbols.has(token)) this.#fail(expected);
    this.#at++;
    return token;
  }

  #valueList(): string[] {
    if (this.#peek() !== '(') throw new SelectorError(`found '${this.#peek() ?? ''}' expected: '('`);
    this.#at++;
    const values: string[] = [];
    for (;;) {
      values.push(this.#value());
      const token = this.#peek();
      if (token !== ',' && token !== ')') this.#fail("',' or ')'");
      this.#at++;
      if (token === ')') return values;
    }
  }

  /** `in ()` and `in (a,)` name the empty string, as upstream's parser does. */
  #value(): string {
    const token = this.#peek();
    return token === ',' || token === ')' ? '' : this.#word("',', ')' or identifier");
  }

  /** What is wrong within a requirement is said to be so. */
  #requirement(): LabelTerm {
    const first = this.#peek();
    if (first === undefined || (first !== '!' && symbols.has(first))) this.#fail("!, identifier, or 'end of string'");
    try {
      return this.#term();
    } catch (err) {
      throw err instanceof SelectorError ? new SelectorError(`unable to parse requirement: ${err.message}`) : err;
    }
  }

  #term(): LabelTerm {
    if (this.#peek() === '!') {
      this.#at++;
      const key = this.#word('identifier');
      checkKey(key);
      return { key, op: 'DoesNotExist', values: [] };
    }
    const key = this.#word('identifier');
    checkKey(key);
    const op = this.#peek();
    if (op === undefined || op === ',') return { key, op: 'Exists', values: [] };
    this.#at++;
    switch (op) {
      case 'in':
      case 'notin': {
        const values = this.#valueList();
        for (const v of values) checkValue(key, v);
        return { key, op: op === 'in' ? 'In' : 'NotIn', values: [...new Set(values)].toSorted() };
      }
      case '=':
      case '==':
      case '!=':
      case '>':
      case '<':
        return this.#comparison(key, op);
      default:
        this.#at--;
        return this.#fail('in, notin, =, ==, !=, gt, lt');
    }
  }

  #comparison(key: string, op: string): LabelTerm {
    const next = this.#peek();
    const value = next === undefined || next === ',' ? '' : this.#word('identifier');
    checkValue(key, value);
    if (op === '>' || op === '<') {
      if (!/^[+-]?\d+$/.test(value)) {
        throw new SelectorError(
          `values[0]: Invalid value: ${JSON.stringify(value)}: for 'Gt', 'Lt' operators, the value must be an integer`,
        );
      }
      return { key, op: op === '>' ? 'Gt' : 'Lt', values: [value] };
    }
    return { key, op: op === '!=' ? 'NotIn' : 'In', values: [value] };
  }

  parse(): LabelTerm[] {
    const terms: LabelTerm[] = [];
    if (this.#peek() === undefined) return terms;
    for (;;) {
      terms.push(this.#requirement());
      const next = this.#peek();
      if (next === undefined) return terms;
      if (next !== ',') this.#fail("',' or 'end of string'");
      this.#at++;
      const first = this.#peek();
      if (first === undefined || (first !== '!' && symbols.has(first))) this.#fail("identifier after ','");
    }
  }
}

/** Parses the text form. Empty text matches everything. Throws SelectorError. */
export function parseLabelSelector(text: string): Selector {
  return text.trim() === '' ? everything : selectorOf(new TextParser(text).parse());
}

/** The meaning of a LabelSelector object: absent matches nothing, `{}` everything. Throws SelectorError on an unknown operator. */
export function labelSelectorOf(selector: LabelSelector | null | undefined): Selector {
  if (!selector) return nothing;
  const terms: LabelTerm[] = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => ({ key, op: 'In', values: [value] }));
  for (const { key, operator, values } of selector.matchExpressions ?? []) {
    switch (operator) {
      case 'In':
      case 'NotIn':
        if (!values?.length) throw new SelectorError(`values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty`);
        terms.push({ key, op: operator, values });
        break;
      case 'Exists':
      case 'DoesNotExist':
        if (values?.length)
          throw new SelectorError(
            `values: Invalid value: ${JSON.stringify(values)}: values set must be empty for exists and does not exist`,
          );
        terms.push({ key, op: operator, values: [] });
        break;
      default:
        throw new SelectorError(`${JSON.stringify(operator)} is not a valid label selector operator`);
    }
  }
  return selectorOf(terms);
}

/** The meaning of a plain map, as in `Service.spec.selector`. An empty or absent map matches everything. */
export function selectorOfMap(labels: Labels | null | undefined): Selector {
  return selectorOf(Object.entries(labels ?? {}).map(([key, value]) => ({ key, op: 'In', values: [value] })));
}

function formatTerm({ key, op, values }: LabelTerm): string {
  switch (op) {
    case 'In':
      return values.length === 1 ? `${key}=${values[0]}` : `${key} in (${values.toSorted().join(',')})`;
    case 'NotIn':
      return values.length === 1 ? `${key}!=${values[0]}` : `${key} notin (${values.toSorted().join(',')})`;
    case 'Exists':
      return key;
    case 'DoesNotExist':
      return `!${key}`;
    default:
      return `${key}${op === 'Gt' ? '>' : '<'}${values[0]}`;
  }
}

/** The text form, sorted by key: what `scale.status.selector` and `kubectl get -o wide` show. */
export function formatLabelSelector(selector: Selector | LabelSelector | null | undefined): string {
  const terms = selector && 'terms' in selector ? selector.terms : labelSelectorOf(selector).terms;
  return terms
    .toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(formatTerm)
    .join(',');
}
