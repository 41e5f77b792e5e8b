/**
 * Rules as a tree, read from nft's own syntax. Only the forms that are rendered here are known; anything else is refused
 * by name, so that a rule is never half understood.
 */

/** Something that is loaded from the packet, the connection or the kernel. */
export type Term =
  | { readonly kind: 'payload'; readonly header: 'ip' | 'ip6' | 'th'; readonly field: 'saddr' | 'daddr' | 'sport' | 'dport' }
  | { readonly kind: 'l4proto' }
  | { readonly kind: 'iifname' }
  | { readonly kind: 'ct'; readonly key: 'state' | 'status' }
  | {
      readonly kind: 'tuple';
      readonly direction: 'original' | 'reply';
      readonly field: 'ip saddr' | 'ip daddr' | 'ip6 saddr' | 'ip6 daddr' | 'proto-src' | 'proto-dst';
    }
  | { readonly kind: 'fib'; readonly address: 'saddr' | 'daddr' }
  /** Drawn, or the next of a counter that the rule has for itself. */
  | { readonly kind: 'numgen'; readonly type: 'random' | 'inc'; readonly modulus: number; readonly offset: number }
  /** From a field by Jenkins' hash. */
  | { readonly kind: 'jhash'; readonly of: Term; readonly modulus: number; readonly seed: number; readonly offset: number };

export type Verdict = { readonly kind: 'accept' | 'drop' | 'return' } | { readonly kind: 'jump' | 'goto'; readonly chain: string };

export type Statement =
  | { readonly kind: 'match'; readonly term: Term; readonly not: boolean; readonly value: string }
  | { readonly kind: 'lookup'; readonly key: readonly Term[]; readonly not: boolean; readonly set: string }
  | { readonly kind: 'vmap'; readonly key: readonly Term[]; readonly map: string }
  | { readonly kind: 'dnat'; readonly key: readonly Term[]; readonly map: string }
  | {
      readonly kind: 'update';
      readonly map: string;
      readonly key: readonly Term[];
      readonly data: readonly Term[];
      readonly timeoutMs: number;
    }
  /** Counts packets and bytes at the element of this key, which is made when there is none. A full set takes none, and the rule ends. */
  | { readonly kind: 'count'; readonly set: string; readonly key: readonly Term[] }
  /** The packet's mark, of which only the bits of `mask` count. */
  | { readonly kind: 'mark'; readonly mask: number; readonly value: number }
  /** No connection tracking for this packet. */
  | { readonly kind: 'notrack' }
  /** The kernel tells of every rule that this packet meets from here on. */
  | { readonly kind: 'nftrace' }
  | { readonly kind: 'masquerade' }
  | { readonly kind: 'reject'; readonly with: 'tcp reset' | 'icmp' }
  | { readonly kind: 'verdict'; readonly verdict: Verdict };

class Words {
  readonly #words: readonly string[];
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    this.#words = text.split(/\s+/).filter(Boolean);
  }

  get done(): boolean {
    return this.#at >= this.#words.length;
  }

  /** Takes the next words when they are these. */
  take(...expected: string[]): boolean {
    if (!expected.every((word, i) => this.#words[this.#at + i] === word)) return false;
    this.#at += expected.length;
    return true;
  }

  next(): string {
    const word = this.#words[this.#at++];
    if (word === undefined) throw new SyntaxError(`Cannot read the rule "${this.#text}": it ends too early`);
    return word;
  }

  /** The next word, or one of those behind it; '' where there is none. */
  peek(offset = 0): string {
    return this.#words[this.#at + offset] ?? '';
  }

  skip(count: number): void {
    this.#at += count;
  }

  expect(...expected: string[]): void {
    if (!this.take(...expected)) this.fail(`expected "${expected.join(' ')}"`);
  }

  fail(why: string): never {
    throw new SyntaxError(`Cannot read the rule "${this.#text}": ${why} at "${this.#words[this.#at] ?? 'the end'}"`);
  }
}

const headers = ['ip', 'ip6'] as const;
const addressFields = ['saddr', 'daddr'] as const;
const portFields = ['sport', 'dport'] as const;
const tupleFields = [...headers.flatMap((h) => addressFields.map((f) => `${h} ${f}` as const)), 'proto-src', 'proto-dst'] as const;

/** Every term but those that have numbers in them. */
const fixedTerms: ReadonlyMap<string, Term> = new Map<string, Term>([
  ...headers.flatMap((header) => addressFields.map((field) => [`${header} ${field}`, { kind: 'payload', header, field }] as const)),
  ...portFields.map((field) => [`th ${field}`, { kind: 'payload', header: 'th', field }] as const),
  ['meta l4proto', { kind: 'l4proto' }],
  ['iifname', { kind: 'iifname' }],
  ...(['state', 'status'] as const).map((key) => [`ct ${key}`, { kind: 'ct', key }] as const),
  ...(['original', 'reply'] as const).flatMap((direction) =>
    tupleFields.map((field) => [`ct ${direction} ${field}`, { kind: 'tuple', direction, field }] as const),
  ),
  ...addressFields.map((address) => [`fib ${address} type`, { kind: 'fib', address }] as const),
]);
const longestTerm = 4;

function readTerm(words: Words): Term {
  let text = words.peek();
  for (let count = 1; count <= longestTerm; count++) {
    const term = fixedTerms.get(text);
    if (term) {
      words.skip(count);
      return term;
    }
    text += ` ${words.peek(count)}`;
  }
  if (words.take('jhash')) return readJhash(words);
  const type = (['random', 'inc'] as const).find((one) => words.take('numgen', one, 'mod'));
  if (!type) return words.fail('unknown expression');
  const modulus = readNumber(words);
  return { kind: 'numgen', type, modulus, offset: readOffset(words) };
}

/** A seed must be given: the kernel draws one otherwise, and another for each rule. */
function readJhash(words: Words): Term {
  const of = readTerm(words);
  words.expect('mod');
  const modulus = readNumber(words);
  words.expect('seed');
  return { kind: 'jhash', of, modulus, seed: readNumber(words), offset: readOffset(words) };
}

function readOffset(words: Words): number {
  return words.take('offset') ? readNumber(words) : 0;
}

function readKey(words: Words): Term[] {
  const key = [readTerm(words)];
  while (words.take('.')) key.push(readTerm(words));
  return key;
}

/** Milliseconds of `3h`, `1h30m`, `90s`. */
export function parseTimeout(text: string): number {
  const match = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(text);
  if (!match || text === '') throw new SyntaxError(`Cannot read "${text}": not a duration such as 3h`);
  const [, d = 0, h = 0, m = 0, s = 0] = match;
  return (((Number(d) * 24 + Number(h)) * 60 + Number(m)) * 60 + Number(s)) * 1000;
}

/** `3h` of 10800 seconds, as nft prints it. */
export function formatTimeout(seconds: number): string {
  const parts: [number, string][] = [
    [Math.floor(seconds / 86400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ];
  return parts.map(([n, unit]) => (n > 0 ? `${n}${unit}` : '')).join('') || '0s';
}

function readVerdict(words: Words): Verdict | undefined {
  for (const kind of ['accept', 'drop', 'return'] as const) if (words.take(kind)) return { kind };
  for (const kind of ['jump', 'goto'] as const) if (words.take(kind)) return { kind, chain: words.next() };
  return undefined;
}

/** Reads the text of a verdict in a map: `goto lb-3`, `drop`. */
export function parseVerdict(text: string): Verdict {
  const words = new Words(text);
  return readVerdict(words) ?? words.fail('unknown verdict');
}

function setName(words: Words): string {
  const word = words.next();
  return word.startsWith('@') ? word.slice(1) : words.fail('expected the name of a set');
}

function readUpdate(words: Words): Statement {
  const map = setName(words);
  words.expect('{');
  const key = readKey(words);
  if (words.take('counter', '}')) return { kind: 'count', set: map, key };
  words.expect('timeout');
  const timeoutMs = parseTimeout(words.next());
  words.expect(':');
  const data = readKey(words);
  words.expect('}');
  return { kind: 'update', map, key, data, timeoutMs };
}

function readNumber(words: Words): number {
  const number = Number(words.peek() || Number.NaN);
  if (!Number.isInteger(number)) words.fail('expected a number');
  words.next();
  return number;
}

function readStatement(words: Words): Statement {
  const verdict = readVerdict(words);
  if (verdict) return { kind: 'verdict', verdict };
  if (words.take('notrack')) return { kind: 'notrack' };
  if (words.take('meta', 'nftrace', 'set', '1')) return { kind: 'nftrace' };
  if (words.take('meta', 'mark', '&')) {
    const mask = readNumber(words);
    words.expect('==');
    return { kind: 'mark', mask, value: readNumber(words) };
  }
  if (words.take('masquerade', 'fully-random')) return { kind: 'masquerade' };
  if (words.take('reject', 'with', 'tcp', 'reset')) return { kind: 'reject', with: 'tcp reset' };
  if (words.take('reject')) return { kind: 'reject', with: 'icmp' };
  if (words.take('update')) return readUpdate(words);
  if (words.take('dnat')) {
    if (!words.take('ip', 'to')) words.expect('ip6', 'to');
    const key = readKey(words);
    words.expect('map');
    return { kind: 'dnat', key, map: setName(words) };
  }
  const key = readKey(words);
  if (words.take('vmap')) return { kind: 'vmap', key, map: setName(words) };
  const not = words.take('!=');
  if (words.peek().startsWith('@')) return { kind: 'lookup', key, not, set: setName(words) };
  const [term] = key;
  if (key.length !== 1 || !term) return words.fail('expected a set');
  return { kind: 'match', term, not, value: words.next() };
}

/** Reads one rule. Throws SyntaxError naming the word that is not understood. */
export function parseRule(text: string): Statement[] {
  const words = new Words(text);
  const statements: Statement[] = [];
  while (!words.done) statements.push(readStatement(words));
  return statements;
}
