/**
 * From a rule's tree to the expressions of the kernel's virtual machine (include/uapi/linux/netfilter/nf_tables.h). The
 * registers are chosen as nft chooses them, so that nft can print what was written here.
 */
import { cidrBytes } from '../../ip/ip.ts';
import { type Attr, decodeAttrs, eachAttr, firstAttr, text as name, readText, readU32be, u32, u32be } from '../netlink/attribute.ts';
import {
  BITWISE,
  CMP,
  CT,
  ctNew,
  ctStatusDnat,
  DATA,
  DYNSET,
  EXPRESSION,
  FIB,
  type Field,
  type FieldName,
  fibLocal,
  fields,
  HASH,
  IMMEDIATE,
  LOOKUP,
  MASQ,
  META,
  NAT,
  NUMGEN,
  PAYLOAD,
  REJECT,
  tupleFields,
  VERDICT,
} from './expression-attributes.ts';
import { protocols } from './field-type.ts';
import { parseRule, type Statement, type Term, type Verdict } from './rule.ts';
import type { TableFamily } from './table.ts';

/** One expression: its name and its attributes. */
export interface Expression {
  readonly name: string;
  readonly data: readonly Attr[];
}

const verdictRegister = 0;

/** Per family: its number (NFPROTO_*), the slots of an address, and the code of ICMP's "port unreachable". */
const families = {
  ip: { number: 2, addressSlots: 1, portUnreachable: 3 },
  ip6: { number: 10, addressSlots: 4, portUnreachable: 4 },
} as const;

/** Register of a four-byte slot: the old 16-byte names where they line up, as the kernel reports them. */
function register(slot: number): number {
  return slot % 4 === 0 ? 1 + slot / 4 : 8 + slot;
}

function number(type: number, value: number): Attr {
  return [type, u32be(value)];
}

function fieldOf(term: Term & { kind: 'payload' }): Field {
  return fields[`${term.header} ${term.field}` as FieldName];
}

/** Loads the first `length` bytes of a field. */
function payload({ base, offset }: Field, length: number, slot: number): Expression {
  const place = [number(PAYLOAD.base, base), number(PAYLOAD.offset, offset), number(PAYLOAD.length, length)];
  return { name: 'payload', data: [number(PAYLOAD.dreg, register(slot)), ...place] };
}

function meta(key: number, slot: number): Expression {
  return { name: 'meta', data: [number(META.key, key), number(META.dreg, register(slot))] };
}

/** Loads a term into the slot; gives the expression and the bytes it holds. */
function load(term: Exclude<Term, { kind: 'jhash' }>, slot: number): [Expression, length: number] {
  switch (term.kind) {
    case 'payload': {
      const field = fieldOf(term);
      return [payload(field, field.length, slot), field.length];
    }
    case 'l4proto':
      return [meta(META.l4proto, slot), 1];
    case 'iifname':
      return [meta(META.iifname, slot), 16];
    case 'ct':
      return [{ name: 'ct', data: [number(CT.key, CT[term.key]), number(CT.dreg, register(slot))] }, 4];
    case 'tuple': {
      const { key, length } = tupleFields[term.field];
      const direction: Attr = [CT.direction, Uint8Array.of(CT[term.direction])];
      return [{ name: 'ct', data: [number(CT.key, key), number(CT.dreg, register(slot)), direction] }, length];
    }
    case 'fib':
      return [
        {
          name: 'fib',
          data: [number(FIB.dreg, register(slot)), number(FIB.result, FIB.addressType), number(FIB.flags, FIB[term.address])],
        },
        4,
      ];
    case 'numgen': {
      const { dreg, modulus, type, offset } = NUMGEN;
      return [
        {
          name: 'numgen',
          data: [number(dreg, register(slot)), number(modulus, term.modulus), number(type, NUMGEN[term.type]), number(offset, term.offset)],
        },
        4,
      ];
    }
  }
}

/** Slots that a term takes in a key. */
function slotsOf(term: Term): number {
  return term.kind === 'jhash' ? 1 : Math.ceil(load(term, 0)[1] / 4);
}

/** A number from a field, which is loaded into a slot of its own. */
function jhash(term: Term & { kind: 'jhash' }, slot: number, fieldSlot: number): Expression[] {
  if (term.of.kind === 'jhash') throw new SyntaxError('Cannot hash a hash');
  const [field, length] = load(term.of, fieldSlot);
  const { sreg, dreg, length: size, modulus, seed, offset } = HASH;
  const registers = [number(sreg, register(fieldSlot)), number(dreg, register(slot))];
  const numbers = [number(size, length), number(modulus, term.modulus), number(seed, term.seed)];
  // The kernel lists none that is 0.
  if (term.offset !== 0) numbers.push(number(offset, term.offset));
  return [field, { name: 'hash', data: [...registers, ...numbers] }];
}

/** Loads the terms side by side from `slot` on. */
function loadKey(key: readonly Term[], slot = 0): [Expression[], end: number] {
  const expressions: Expression[] = [];
  const end = key.reduce((sum, term) => sum + slotsOf(term), slot);
  let at = slot;
  for (const term of key) {
    // nft leaves one 16-byte register free behind the key for what is hashed.
    expressions.push(...(term.kind === 'jhash' ? jhash(term, at, end + 4) : [load(term, at)[0]]));
    at += slotsOf(term);
  }
  return [expressions, end];
}

function compare(op: number, value: Uint8Array): Expression {
  return { name: 'cmp', data: [number(CMP.sreg, register(0)), number(CMP.op, op), [CMP.data, [[DATA.value, value]]]] };
}

function mask(bits: Uint8Array): Expression {
  const { sreg, dreg, length, mask, xor } = BITWISE;
  return {
    name: 'bitwise',
    data: [
      ...[number(sreg, register(0)), number(dreg, register(0)), number(length, bits.length)],
      [mask, [[DATA.value, bits]]],
      [xor, [[DATA.value, new Uint8Array(bits.length)]]],
    ],
  };
}

function matchAddress(term: Term & { kind: 'payload' }, op: number, value: string): Expression[] {
  const field = fieldOf(term);
  const { length } = field;
  const read = cidrBytes(value);
  if (read?.bytes.length !== length) throw new SyntaxError(`Cannot match an address with "${value}"`);
  const { bytes, prefix } = read;
  // As nft does: whole bytes are compared by loading no more than them.
  const loaded = prefix % 8 === 0 && prefix > 0 ? prefix / 8 : length;
  const expression = payload(field, loaded, 0);
  if (loaded * 8 === prefix) return [expression, compare(op, bytes.subarray(0, loaded))];
  const bits = Uint8Array.from({ length }, (_, i) => (0xff00 >> Math.min(8, Math.max(0, prefix - i * 8))) & 255);
  return [expression, mask(bits), compare(op, bytes)];
}

function matchBits(term: Term & { kind: 'ct' }, not: boolean, bits: number): Expression[] {
  return [load(term, 0)[0], mask(u32(bits)), compare(not ? CMP.eq : CMP.neq, new Uint8Array(4))];
}

function match(term: Term, not: boolean, value: string): Expression[] {
  const op = not ? CMP.neq : CMP.eq;
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
  const value = [number(VERDICT.code, verdictCodes[verdict.kind])];
  if ('chain' in verdict) value.push([VERDICT.chain, name(verdict.chain)]);
  return [DATA.verdict, value];
}

/** The text of a verdict in the kernel's form. */
export function verdictText(value: Buffer): string {
  const attributes = decodeAttrs(value);
  const signed = readU32be(attributes.get(VERDICT.code)) | 0;
  const kind = Object.entries(verdictCodes).find(([, number]) => number === signed)?.[0] ?? `unknown ${signed}`;
  return attributes.has(VERDICT.chain) ? `${kind} ${readText(attributes.get(VERDICT.chain))}` : kind;
}

function lookup(set: string, options: { readonly data?: number; readonly not?: boolean }): Expression {
  const data: Attr[] = [[LOOKUP.set, name(set)], number(LOOKUP.sreg, register(0))];
  if (options.data !== undefined) data.push(number(LOOKUP.dreg, options.data));
  if (options.not) data.push(number(LOOKUP.flags, LOOKUP.invert));
  return { name: 'lookup', data };
}

function dnat({ key, map }: Statement & { kind: 'dnat' }, family: TableFamily): Expression[] {
  const { number: familyNumber, addressSlots } = families[family];
  const { type, addressRegister, portRegister } = NAT;
  const data = [
    ...[number(type, NAT.dnat), number(NAT.family, familyNumber)],
    ...[number(addressRegister, register(0)), number(portRegister, register(addressSlots))],
  ];
  return [...loadKey(key)[0], lookup(map, { data: register(0) }), { name: 'nat', data }];
}

function update({ key, data, map, timeoutMs }: Statement & { kind: 'update' }): Expression[] {
  const [keyLoads, end] = loadKey(key);
  // nft starts the value on a 16-byte register; with IPv6 keys only the next free slot has room for it.
  const dataSlot = end <= 8 ? Math.ceil(end / 4) * 4 : end;
  const timeout = Buffer.alloc(8);
  timeout.writeBigUInt64BE(BigInt(timeoutMs));
  const attributes: Attr[] = [
    [DYNSET.set, name(map)],
    ...[number(DYNSET.op, DYNSET.update), number(DYNSET.keyRegister, register(0)), number(DYNSET.dataRegister, register(dataSlot))],
    [DYNSET.timeout, timeout],
  ];
  return [...keyLoads, ...loadKey(data, dataSlot)[0], { name: 'dynset', data: attributes }];
}

function count({ key, set }: Statement & { kind: 'count' }): Expression[] {
  const attributes: Attr[] = [
    [DYNSET.set, name(set)],
    ...[number(DYNSET.op, DYNSET.update), number(DYNSET.keyRegister, register(0))],
    [DYNSET.expression, [[EXPRESSION.name, name('counter')]]],
  ];
  return [...loadKey(key)[0], { name: 'dynset', data: attributes }];
}

function reject(how: 'tcp reset' | 'icmp', family: TableFamily): Expression {
  if (how === 'tcp reset') return { name: 'reject', data: [number(REJECT.type, REJECT.tcpReset)] };
  return { name: 'reject', data: [number(REJECT.type, REJECT.icmp), [REJECT.code, Uint8Array.of(families[family].portUnreachable)]] };
}

function compileStatement(statement: Statement, family: TableFamily): Expression[] {
  switch (statement.kind) {
    case 'match':
      return match(statement.term, statement.not, statement.value);
    case 'lookup':
      return [...loadKey(statement.key)[0], lookup(statement.set, { not: statement.not })];
    case 'vmap':
      return [...loadKey(statement.key)[0], lookup(statement.map, { data: verdictRegister })];
    case 'dnat':
      return dnat(statement, family);
    case 'update':
      return update(statement);
    case 'count':
      return count(statement);
    case 'mark':
      return [meta(META.mark, 0), mask(u32(statement.mask)), compare(CMP.eq, u32(statement.value))];
    case 'notrack':
      return [{ name: 'notrack', data: [] }];
    case 'nftrace':
      return [
        { name: 'immediate', data: [number(IMMEDIATE.dreg, register(0)), [IMMEDIATE.data, [[DATA.value, Uint8Array.of(1)]]]] },
        { name: 'meta', data: [number(META.key, META.nftrace), number(META.sreg, register(0))] },
      ];
    case 'masquerade':
      // NF_NAT_RANGE_PROTO_RANDOM_FULLY: without it two nodes' clients meet on one source port, and packets are lost.
      return [{ name: 'masq', data: [number(MASQ.flags, MASQ.randomFully)] }];
    case 'reject':
      return [reject(statement.with, family)];
    case 'verdict': {
      const data: Attr = [IMMEDIATE.data, [verdictAttribute(statement.verdict)]];
      return [{ name: 'immediate', data: [number(IMMEDIATE.dreg, verdictRegister), data] }];
    }
  }
}

/** Rules by family and text. When it is full it becomes the older one: what is asked for again meanwhile stays. */
type Compiled = Map<string, readonly Expression[]>;
const cacheSize = 1024;
const newer: Record<TableFamily, Compiled> = { ip: new Map(), ip6: new Map() };
const older: Record<TableFamily, Compiled> = { ip: new Map(), ip6: new Map() };

/** Whether a rule is for one address: there may be tens of thousands, and each is asked for once. */
function isOfOneAddress(statement: Statement): boolean {
  return statement.kind === 'match' && statement.term.kind === 'payload' && statement.term.header !== 'th';
}

/** The expressions of a rule. Most rule texts are few and come back often, so their results are kept. */
export function compileRule(text: string, family: TableFamily): readonly Expression[] {
  const known = newer[family].get(text);
  if (known) return known;
  let expressions = older[family].get(text);
  if (!expressions) {
    const statements = parseRule(text);
    expressions = statements.flatMap((statement) => compileStatement(statement, family));
    if (statements.some(isOfOneAddress)) return expressions;
  }
  if (newer[family].size >= cacheSize) [older[family], newer[family]] = [newer[family], new Map()];
  newer[family].set(text, expressions);
  return expressions;
}

/** Whether the kernel's attributes hold at least what was written; it adds defaults of its own. */
function holds(written: readonly Attr[], bytes: Buffer | undefined): boolean {
  return written.every(([type, wanted]) => {
    const value = firstAttr(bytes, type);
    if (value === undefined) return false;
    return wanted instanceof Uint8Array ? value.equals(wanted) : holds(wanted, value);
  });
}

/** The names of a listed rule's expressions, each with its attributes. */
export function listedExpressions(expressionList: Buffer): [name: string, data: Buffer | undefined][] {
  const listed: [string, Buffer | undefined][] = [];
  eachAttr(expressionList, (_, element) =>
    listed.push([readText(firstAttr(element, EXPRESSION.name)), firstAttr(element, EXPRESSION.data)]),
  );
  return listed;
}

/** Whether a rule that the kernel listed (`NFTA_RULE_EXPRESSIONS`) is the rule with this text. */
export function isRule(expressionList: Buffer, text: string, family: TableFamily): boolean {
  const listed = listedExpressions(expressionList);
  const wanted = compileRule(text, family);
  return wanted.length === listed.length && wanted.every((e, i) => listed[i]?.[0] === e.name && holds(e.data, listed[i]?.[1]));
}
