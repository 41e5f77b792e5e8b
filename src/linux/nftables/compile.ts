/**
 * From a rule's tree to the expressions of the kernel's virtual machine (include/uapi/linux/netfilter/nf_tables.h). The
 * registers are chosen as nft chooses them, so that nft can print what was written here.
 */
import { ipToBytes, parseCidr } from '../../ip/ip.ts';
import { type Attr, decodeAttrs, eachAttr, text as name, readText, readU32be, u32, u32be } from '../netlink/attribute.ts';
import { protocols } from './field-type.ts';
import { parseRule, type Statement, type Term, type Verdict } from './rule.ts';
import type { TableFamily } from './table.ts';

/** One expression: its name and its attributes. */
export interface Expression {
  readonly name: string;
  readonly data: readonly Attr[];
}

const eq = 0;
const neq = 1;
const verdictRegister = 0;
const ctNew = 8;
const ctStatusDnat = 0x20;
const fibLocal = 2;

/** Register of a four-byte slot: the old 16-byte names where they line up, as the kernel reports them. */
function register(slot: number): number {
  return slot % 4 === 0 ? 1 + slot / 4 : 8 + slot;
}

function number(type: number, value: number): Attr {
  return [type, u32be(value)];
}

function payload(base: number, offset: number, length: number, slot: number): Expression {
  return { name: 'payload', data: [number(1, register(slot)), number(2, base), number(3, offset), number(4, length)] };
}

const tupleKeys = { 'ip saddr': 19, 'ip daddr': 20, 'ip6 saddr': 21, 'ip6 daddr': 22, 'proto-src': 11, 'proto-dst': 12 } as const;

/** Loads a term into the slot; gives the expression and the bytes it holds. */
function load(term: Term, slot: number): [Expression, length: number] {
  switch (term.kind) {
    case 'payload': {
      if (term.header === 'th') return [payload(2, term.field === 'dport' ? 2 : 0, 2, slot), 2];
      const length = term.header === 'ip' ? 4 : 16;
      const first = term.header === 'ip' ? 12 : 8;
      return [payload(1, term.field === 'daddr' ? first + length : first, length, slot), length];
    }
    case 'l4proto':
      return [{ name: 'meta', data: [number(2, 16), number(1, register(slot))] }, 1];
    case 'iifname':
      return [{ name: 'meta', data: [number(2, 6), number(1, register(slot))] }, 16];
    case 'ct':
      return [{ name: 'ct', data: [number(2, term.key === 'state' ? 0 : 2), number(1, register(slot))] }, 4];
    case 'tuple': {
      const direction: Attr = [3, Uint8Array.of(term.direction === 'original' ? 0 : 1)];
      const length = term.field.startsWith('ip6') ? 16 : term.field.startsWith('ip') ? 4 : 2;
      return [{ name: 'ct', data: [number(2, tupleKeys[term.field]), number(1, register(slot)), direction] }, length];
    }
    case 'fib':
      return [{ name: 'fib', data: [number(1, register(slot)), number(2, 3), number(3, term.address === 'saddr' ? 1 : 2)] }, 4];
    case 'random':
      return [{ name: 'numgen', data: [number(1, register(slot)), number(2, term.modulus), number(3, 1), number(4, term.offset)] }, 4];
  }
}

/** Loads the terms side by side from `slot` on. */
function loadKey(key: readonly Term[], slot = 0): [Expression[], end: number] {
  const expressions: Expression[] = [];
  let at = slot;
  for (const term of key) {
    const [expression, length] = load(term, at);
    expressions.push(expression);
    at += Math.ceil(length / 4);
  }
  return [expressions, at];
}

function compare(op: number, value: Uint8Array): Expression {
  return { name: 'cmp', data: [number(1, register(0)), number(2, op), [3, [[1, value]]]] };
}

function mask(bits: Uint8Array): Expression {
  const data: Attr[] = [number(1, register(0)), number(2, register(0)), number(3, bits.length)];
  data.push([4, [[1, bits]]], [5, [[1, new Uint8Array(bits.length)]]]);
  return { name: 'bitwise', data };
}

function matchAddress(term: Term & { kind: 'payload' }, op: number, value: string): Expression[] {
  const cidr = parseCidr(value);
  if (!cidr) throw new SyntaxError(`Cannot match an address with "${value}"`);
  const bytes = ipToBytes(cidr.base);
  const [whole, length] = load(term, 0);
  if (cidr.prefix === length * 8) return [whole, compare(op, bytes)];
  if (cidr.prefix % 8 === 0 && cidr.prefix > 0) {
    const first = term.header === 'ip' ? 12 : 8;
    const short = cidr.prefix / 8;
    return [payload(1, term.field === 'daddr' ? first + length : first, short, 0), compare(op, bytes.slice(0, short))];
  }
  const bits = Uint8Array.from({ length }, (_, i) => (0xff00 >> Math.min(8, Math.max(0, cidr.prefix - i * 8))) & 255);
  return [whole, mask(bits), compare(op, bytes)];
}

function matchBits(term: Term, not: boolean, bits: number): Expression[] {
  return [load(term, 0)[0], mask(u32(bits)), compare(not ? eq : neq, new Uint8Array(4))];
}

function match(term: Term, not: boolean, value: string): Expression[] {
  const op = not ? neq : eq;
  switch (term.kind) {
    case 'payload':
      if (term.header !== 'th') return matchAddress(term, op, value);
      return [load(term, 0)[0], compare(op, Uint8Array.of(Number(value) >>> 8, Number(value) & 255))];
    case 'l4proto':
      return [load(term, 0)[0], compare(op, Uint8Array.of(protocols[value] ?? Number(value)))];
    case 'iifname': {
      const name = value.replace(/^"|"$/g, '');
      // `"veth*"` compares just the letters, a whole name all sixteen bytes.
      const bytes = name.endsWith('*')
        ? Buffer.from(name.slice(0, -1))
        : Buffer.concat([Buffer.from(name), Buffer.alloc(16)]).subarray(0, 16);
      return [load(term, 0)[0], compare(op, bytes)];
    }
    case 'fib':
      if (value !== 'local') throw new SyntaxError(`Cannot match an address type "${value}"`);
      return [load(term, 0)[0], compare(op, u32(fibLocal))];
    case 'ct':
      if (term.key === 'state' && value === 'new') return matchBits(term, not, ctNew);
      if (term.key === 'status' && value === 'dnat') return matchBits(term, not, ctStatusDnat);
      throw new SyntaxError(`Cannot match a connection's ${term.key} "${value}"`);
    default:
      throw new SyntaxError(`Cannot compare ${term.kind} with "${value}"`);
  }
}

const verdictCodes = { drop: 0, accept: 1, jump: -3, goto: -4, return: -5 } as const;

/** `NFTA_DATA_VERDICT` of a verdict. */
export function verdictAttribute(verdict: Verdict): Attr {
  const value = [number(1, verdictCodes[verdict.kind])];
  if ('chain' in verdict) value.push([2, name(verdict.chain)]);
  return [2, value];
}

/** The text of a verdict in the kernel's form. */
export function verdictText(value: Buffer): string {
  const attributes = decodeAttrs(value);
  const signed = readU32be(attributes.get(1)) | 0;
  const kind = Object.entries(verdictCodes).find(([, number]) => number === signed)?.[0] ?? `unknown ${signed}`;
  return attributes.has(2) ? `${kind} ${readText(attributes.get(2))}` : kind;
}

function lookup(set: string, options: { readonly data?: number; readonly not?: boolean }): Expression {
  const data: Attr[] = [[1, name(set)], number(2, register(0))];
  if (options.data !== undefined) data.push(number(3, options.data));
  if (options.not) data.push(number(5, 1));
  return { name: 'lookup', data };
}

function compileStatement(statement: Statement, family: TableFamily): Expression[] {
  const addressSlots = family === 'ip' ? 1 : 4;
  switch (statement.kind) {
    case 'match':
      return match(statement.term, statement.not, statement.value);
    case 'lookup':
      return [...loadKey(statement.key)[0], lookup(statement.set, { not: statement.not })];
    case 'vmap':
      return [...loadKey(statement.key)[0], lookup(statement.map, { data: verdictRegister })];
    case 'dnat': {
      const nat = [number(1, 1), number(2, family === 'ip' ? 2 : 10), number(3, register(0)), number(5, register(addressSlots))];
      return [...loadKey(statement.key)[0], lookup(statement.map, { data: register(0) }), { name: 'nat', data: nat }];
    }
    case 'update': {
      const [key, end] = loadKey(statement.key);
      // nft starts the value on a 16-byte register; with IPv6 keys only the next free slot has room for it.
      const dataSlot = end <= 8 ? Math.ceil(end / 4) * 4 : end;
      const [data] = loadKey(statement.data, dataSlot);
      const timeout = new Uint8Array(8);
      new DataView(timeout.buffer).setBigUint64(0, BigInt(statement.timeoutMs));
      const attributes: Attr[] = [[1, name(statement.map)], number(3, 1), number(4, register(0))];
      attributes.push(number(5, register(dataSlot)), [6, timeout]);
      return [...key, ...data, { name: 'dynset', data: attributes }];
    }
    case 'mark': {
      const mark: Expression = { name: 'meta', data: [number(2, 3), number(1, register(0))] };
      return [mark, mask(u32(statement.mask)), compare(eq, u32(statement.value))];
    }
    case 'notrack':
      return [{ name: 'notrack', data: [] }];
    case 'masquerade':
      // NF_NAT_RANGE_PROTO_RANDOM_FULLY: without it two nodes' clients meet on one source port, and packets are lost.
      return [{ name: 'masq', data: [number(1, 0x10)] }];
    case 'reject': {
      if (statement.with === 'tcp reset') return [{ name: 'reject', data: [number(1, 1)] }];
      const portUnreachable = family === 'ip' ? 3 : 4;
      return [{ name: 'reject', data: [number(1, 0), [2, Uint8Array.of(portUnreachable)]] }];
    }
    case 'verdict': {
      const data: Attr = [2, [verdictAttribute(statement.verdict)]];
      return [{ name: 'immediate', data: [number(1, verdictRegister), data] }];
    }
  }
}

const compiled = new Map<string, readonly Expression[]>();

/** The expressions of a rule. Rule texts are few and come back often, so the results are kept. */
export function compileRule(text: string, family: TableFamily): readonly Expression[] {
  const key = `${family} ${text}`;
  const known = compiled.get(key);
  if (known) return known;
  const expressions = parseRule(text).flatMap((statement) => compileStatement(statement, family));
  if (compiled.size > 4096) compiled.clear();
  compiled.set(key, expressions);
  return expressions;
}

/** Whether the kernel's attributes hold at least what was written; it adds defaults of its own. */
function holds(written: readonly Attr[], bytes: Buffer | undefined): boolean {
  const found = decodeAttrs(bytes);
  return written.every(([type, wanted]) => {
    const value = found.get(type);
    if (value === undefined) return false;
    return wanted instanceof Uint8Array ? Buffer.compare(wanted, value) === 0 : holds(wanted, value);
  });
}

/** Whether a rule that the kernel listed (`NFTA_RULE_EXPRESSIONS`) is the rule with this text. */
export function isRule(expressionList: Buffer, text: string, family: TableFamily): boolean {
  const listed: [string, Buffer | undefined][] = [];
  eachAttr(expressionList, (_, element) => {
    const attributes = decodeAttrs(element);
    listed.push([readText(attributes.get(1)), attributes.get(2)]);
  });
  const wanted = compileRule(text, family);
  return wanted.length === listed.length && wanted.every((e, i) => listed[i]?.[0] === e.name && holds(e.data, listed[i]?.[1]));
}
