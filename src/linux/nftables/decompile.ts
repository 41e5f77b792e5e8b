/**
 * From the kernel's expressions back to a rule's text. What it gives compiles to just these expressions, or it gives nothing: a rule is never
 * half understood.
 */
import { bytesToIp } from '../../ip/ip.ts';
import { decodeAttrs, firstAttr, readText, readU32be } from '../netlink/attribute.ts';
import { isRule, listedExpressions, verdictText } from './compile.ts';
import {
  BITWISE,
  CMP,
  CT,
  ctNew,
  DATA,
  DYNSET,
  FIB,
  fields,
  HASH,
  IMMEDIATE,
  LOOKUP,
  META,
  NUMGEN,
  PAYLOAD,
  REJECT,
  tupleFields,
} from './expression-attributes.ts';
import { protocols } from './field-type.ts';
import { formatTimeout } from './rule.ts';
import type { TableFamily } from './table.ts';

type Attributes = ReadonlyMap<number, Buffer>;

function nameOf(pairs: Iterable<readonly [string, unknown]>, isIt: (value: never) => boolean): string {
  for (const [name, value] of pairs) if (isIt(value as never)) return name;
  throw new SyntaxError('Cannot name it');
}

const protocolName = (value: number): string => nameOf(Object.entries(protocols), (number) => number === value);

/** Reads expression after expression; `loaded` is what stands in registers by now. */
class RuleReader {
  readonly #family: TableFamily;
  readonly #words: string[] = [];
  #loaded: string[] = [];
  #mask: Buffer | undefined;

  constructor(family: TableFamily) {
    this.#family = family;
  }

  get text(): string {
    return this.#words.join(' ');
  }

  #takeKey(): string {
    const key = this.#loaded.join(' . ');
    this.#loaded = [];
    return key;
  }

  read(name: string, data: Buffer | undefined): void {
    const a: Attributes = decodeAttrs(data);
    const number = (type: number): number => readU32be(a.get(type));
    const load = this.#load(name, a, number);
    if (load !== undefined) this.#loaded.push(load);
    else if (name === 'bitwise') this.#mask = firstAttr(a.get(BITWISE.mask), DATA.value);
    else if (name === 'cmp') this.#compare(number(CMP.op) === CMP.neq, firstAttr(a.get(CMP.data), DATA.value) ?? Buffer.alloc(0));
    else this.#act(name, a, number);
  }

  /** The term that an expression loads. */
  #load(name: string, a: Attributes, number: (type: number) => number): string | undefined {
    switch (name) {
      case 'payload':
        return nameOf(
          Object.entries(fields).filter(([field]) => !field.startsWith('ip') || field.startsWith(`${this.#family} `)),
          ({ base, offset }: { base: number; offset: number }) => base === number(PAYLOAD.base) && offset === number(PAYLOAD.offset),
        );
      case 'meta':
        if (a.has(META.sreg)) return undefined;
        return nameOf(
          [
            ['meta mark', META.mark],
            ['iifname', META.iifname],
            ['meta l4proto', META.l4proto],
          ],
          (key) => key === number(META.key),
        );
      case 'ct':
        return a.has(CT.direction) ? this.#tuple(a, number(CT.key)) : number(CT.key) === CT.state ? 'ct state' : 'ct status';
      case 'fib':
        return `fib ${number(FIB.flags) === FIB.saddr ? 'saddr' : 'daddr'} type`;
      case 'numgen':
        return `numgen ${number(NUMGEN.type) === NUMGEN.inc ? 'inc' : 'random'} mod ${number(NUMGEN.modulus)}${offset(number(NUMGEN.offset))}`;
      case 'hash':
        return `jhash ${this.#loaded.pop()} mod ${number(HASH.modulus)} seed 0x${number(HASH.seed).toString(16)}${offset(number(HASH.offset))}`;
      default:
        return undefined;
    }
  }

  #tuple(a: Attributes, key: number): string {
    const field = nameOf(Object.entries(tupleFields), (one: { key: number }) => one.key === key);
    return `ct ${a.get(CT.direction)?.[0] === CT.original ? 'original' : 'reply'} ${field}`;
  }

  #compare(isNot: boolean, value: Buffer): void {
    const term = this.#takeKey();
    const mask = this.#mask;
    this.#mask = undefined;
    if (term === 'meta mark') {
      const hex = (bytes: Buffer | undefined): string => `0x${(bytes?.readUInt32LE(0) ?? 0).toString(16)}`;
      this.#words.push(`meta mark & ${hex(mask)} == ${hex(value)}`);
    } else if (term === 'ct state' || term === 'ct status') {
      const bit = mask?.readUInt32LE(0) === ctNew ? 'new' : 'dnat';
      // Whether the bit is set: compared with nothing.
      this.#words.push(`${term} ${isNot ? '' : '!= '}${bit}`);
    } else this.#words.push(`${term} ${isNot ? '!= ' : ''}${this.#value(term, value, mask)}`);
  }

  #value(term: string, value: Buffer, mask: Buffer | undefined): string {
    if (term.startsWith('fib')) return 'local';
    if (term === 'meta l4proto') return protocolName(value[0] ?? 0);
    if (term === 'iifname') {
      const name = value.toString('latin1').replace(/\0.*$/s, '');
      return value.length === 16 ? `"${name}"` : `"${name}*"`;
    }
    if (term.startsWith('th ')) return String(value.readUInt16BE(0));
    const length = this.#family === 'ip' ? 4 : 16;
    const ones = mask ? [...mask].reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0) : value.length * 8;
    const ip = bytesToIp(Buffer.concat([value, Buffer.alloc(length - value.length)]));
    return ones === length * 8 ? ip : `${ip}/${ones}`;
  }

  #act(name: string, a: Attributes, number: (type: number) => number): void {
    switch (name) {
      case 'lookup':
        this.#lookup(a, number);
        return;
      case 'nat':
        return;
      case 'dynset':
        this.#update(readText(a.get(DYNSET.set)), a);
        return;
      case 'meta':
        this.#words.push('meta nftrace set 1');
        return;
      case 'immediate':
        if (number(IMMEDIATE.dreg) !== 0) return;
        this.#words.push(verdictText(firstAttr(a.get(IMMEDIATE.data), DATA.verdict) ?? Buffer.alloc(0)));
        return;
      case 'masq':
        this.#words.push('masquerade fully-random');
        return;
      case 'reject':
        this.#words.push(number(REJECT.type) === REJECT.tcpReset ? 'reject with tcp reset' : 'reject');
        return;
      default:
        this.#words.push(name);
    }
  }

  #lookup(a: Attributes, number: (type: number) => number): void {
    const isMap = a.has(LOOKUP.dreg);
    const how = !isMap ? (number(LOOKUP.flags) === LOOKUP.invert ? '!= ' : '') : number(LOOKUP.dreg) === 0 ? 'vmap ' : 'map ';
    const head = how === 'map ' ? `dnat ${this.#family} to ` : '';
    this.#words.push(`${head}${this.#takeKey()} ${how}@${readText(a.get(LOOKUP.set))}`);
  }

  #update(set: string, a: Attributes): void {
    if (a.has(DYNSET.expression)) {
      this.#words.push(`update @${set} { ${this.#takeKey()} counter }`);
      return;
    }
    const timeoutMs = Number(a.get(DYNSET.timeout)?.readBigUInt64BE(0) ?? 0n);
    // What comes back is the value, what was asked for is the key.
    const [data, key] = [true, false].map((isReply) => this.#loaded.filter((term) => term.startsWith('ct reply') === isReply).join(' . '));
    this.#loaded = [];
    this.#words.push(`update @${set} { ${key} timeout ${formatTimeout(timeoutMs / 1000)} : ${data} }`);
  }
}

function offset(number: number): string {
  return number === 0 ? '' : ` offset ${number}`;
}

/** The text of a rule that the kernel listed (`NFTA_RULE_EXPRESSIONS`). */
export function ruleText(expressionList: Buffer, family: TableFamily): string | undefined {
  try {
    const reader = new RuleReader(family);
    for (const [name, data] of listedExpressions(expressionList)) reader.read(name, data);
    return isRule(expressionList, reader.text, family) ? reader.text : undefined;
  } catch (err) {
    if (err instanceof SyntaxError || err instanceof RangeError) return undefined;
    throw err;
  }
}
