/**
 * What the kernel tells of a packet that a rule has marked with `meta nftrace set 1`: one message for each rule that applies, and for each base chain
 * whose end it reaches. Pure. Source: include/uapi/linux/netfilter/nf_tables.h, net/netfilter/nf_tables_trace.c.
 */
import { bytesToIp } from '../../ip/ip.ts';
import { decodeAttrs, readText, readU32be } from '../netlink/attribute.ts';
import type { NetlinkMessage } from '../netlink/message.ts';
import { messageType, subsystem } from './batch.ts';

const TRACE = {
  table: 1,
  chain: 2,
  handle: 3,
  type: 4,
  verdict: 5,
  id: 6,
  networkHeader: 8,
  transportHeader: 9,
  iif: 10,
  oif: 12,
  policy: 16,
} as const;
const traceType = { policy: 1, return: 2, rule: 3 } as const;
const VERDICT = { code: 1, chain: 2 } as const;
/** NF_* and NFT_*. */
const verdictNames: ReadonlyMap<number, TraceVerdict['kind']> = new Map([
  [0, 'drop'],
  [1, 'accept'],
  [-1, 'continue'],
  [-3, 'jump'],
  [-4, 'goto'],
  [-5, 'return'],
]);

export interface TraceVerdict {
  /** `other`: it is taken out of its way, to a queue for example. */
  readonly kind: 'drop' | 'accept' | 'continue' | 'jump' | 'goto' | 'return' | 'other';
  /** Where to, of a jump or goto. */
  readonly chain?: string;
}

/** The packet as it was at that place: addresses and ports change on its way. */
export interface TracedHeader {
  readonly from: string;
  readonly sourcePort: number;
  readonly to: string;
  readonly port: number;
}

export interface TraceEvent {
  /** The packet, as long as it stays in one piece: another one once it went through an interface. */
  readonly id: number;
  /** NFPROTO_* of the table. */
  readonly family: number;
  readonly table: string;
  readonly chain: string;
  /** `end`: a base chain was left with its policy. */
  readonly kind: 'rule' | 'end';
  /** By which the kernel names the rule. */
  readonly handle: string;
  readonly verdict: TraceVerdict;
  /** Indices of the interfaces by which it came and is to leave; 0 for none. */
  readonly iif: number;
  readonly oif: number;
  /** In the first message of each base chain. */
  readonly header?: TracedHeader;
}

function headerOf(network: Buffer | undefined, transport: Buffer | undefined): TracedHeader | undefined {
  if (!network || !transport || transport.length < 4) return undefined;
  const isV6 = (network[0] ?? 0) >> 4 === 6;
  const [at, length] = isV6 ? [8, 16] : [12, 4];
  if (network.length < at + 2 * length) return undefined;
  return {
    from: bytesToIp(network.subarray(at, at + length)),
    sourcePort: transport.readUInt16BE(0),
    to: bytesToIp(network.subarray(at + length, at + 2 * length)),
    port: transport.readUInt16BE(2),
  };
}

function verdictOf(code: number, chain: string): TraceVerdict {
  const kind = verdictNames.get(code) ?? 'other';
  return chain === '' ? { kind } : { kind, chain };
}

/** Reads a message; undefined for others, and for the end of a chain that is no base chain. */
export function traceEvent({ type, data }: NetlinkMessage): TraceEvent | undefined {
  if (type !== ((subsystem << 8) | messageType.trace)) return undefined;
  const a = decodeAttrs(data, 4);
  const number = (attribute: number): number => readU32be(a.get(attribute));
  const kind = number(TRACE.type);
  if (kind !== traceType.rule && kind !== traceType.policy) return undefined;
  const verdict = decodeAttrs(a.get(TRACE.verdict));
  const isRule = kind === traceType.rule;
  const header = headerOf(a.get(TRACE.networkHeader), a.get(TRACE.transportHeader));
  return {
    id: number(TRACE.id),
    family: data[0] ?? 0,
    table: readText(a.get(TRACE.table)),
    chain: readText(a.get(TRACE.chain)),
    kind: isRule ? 'rule' : 'end',
    handle: (a.get(TRACE.handle)?.readBigUInt64BE(0) ?? 0n).toString(),
    verdict: isRule
      ? verdictOf(readU32be(verdict.get(VERDICT.code)) | 0, readText(verdict.get(VERDICT.chain)))
      : verdictOf(number(TRACE.policy), ''),
    iif: number(TRACE.iif),
    oif: number(TRACE.oif),
    ...(header ? { header } : {}),
  };
}

/** A packet's way through a network namespace. */
export interface Journey {
  /** Rules that applied to it, and policies that dropped it. */
  readonly met: readonly TraceEvent[];
  /** As it was behind all rules: `oif` is 0 where it stayed here. Absent when it did not get there. */
  readonly end?: { readonly header: TracedHeader; readonly oif: number };
}

const isSameHeader = (a: TracedHeader, b: TracedHeader | undefined): boolean =>
  b !== undefined && a.from === b.from && a.sourcePort === b.sourcePort && a.to === b.to && a.port === b.port;

/** What has no handle is the end of the rules. */
function isRule({ kind, handle }: TraceEvent): boolean {
  return kind === 'rule' && handle !== '0';
}

/**
 * From where the rules of `table` marked a packet until they marked the next of its connection, such as the reset that answers an answer: the same chain
 * marks both. The number tells nothing: it is made of where the packet lies in memory, which the next one often takes over.
 */
function firstPacket(events: readonly TraceEvent[], table: string): readonly TraceEvent[] {
  const marks = events.flatMap((event, i) => (event.table === table && isRule(event) ? [{ chain: event.chain, i }] : []));
  const [first, ...later] = marks;
  return first ? events.slice(first.i, later.find(({ chain }) => chain === first.chain)?.i) : [];
}

/** How the packet was at the end of a chain that stands behind all others. */
function endAt({ header, chain, oif }: TraceEvent): Journey['end'] {
  if (!header || !(chain === 'input' || chain === 'postrouting')) return undefined;
  return { header, oif: chain === 'input' ? 0 : oif };
}

/**
 * Of all that the kernel told, what is about the first packet that the rules of `table` marked. Its number changes on the way: where a bridge hands it up,
 * and where what the node sends itself comes in by loopback.
 */
export function journeyOf(events: readonly TraceEvent[], table: string): Journey {
  const told = firstPacket(events, table);
  const asked = told[0]?.header;
  const ids = new Set(told.slice(0, 1).map(({ id }) => id));
  const met: TraceEvent[] = [];
  let end: Journey['end'];
  const isIt = (header: TracedHeader): boolean =>
    (header.from === asked?.from && header.sourcePort === asked.sourcePort) || isSameHeader(header, end?.header);
  for (const event of told) {
    if (event.header && isIt(event.header)) ids.add(event.id);
    if (!ids.has(event.id)) continue;
    if (event.table === table) end = endAt(event) ?? end;
    else if (isRule(event) || (event.kind === 'end' && event.verdict.kind === 'drop')) met.push(event);
  }
  return { met, ...(end ? { end } : {}) };
}
