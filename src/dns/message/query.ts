/** A question, read from its message. */
import packet from 'dns-packet';
import { readName, TYPE } from './names.ts';

export interface Edns {
  /** The largest UDP reply the client takes, at least 512. */
  readonly size: number;
  readonly version: number;
  /** The DO bit. */
  readonly wantsDnssec: boolean;
}

/** One question as it came. */
export interface Query {
  readonly bytes: Uint8Array;
  readonly id: number;
  readonly opcode: number;
  readonly recursionDesired: boolean;
  readonly checkingDisabled: boolean;
  /** Lower case, no dot at the end. */
  readonly name: string;
  /** False: some letter of the name came as a capital. */
  readonly isLowerCase: boolean;
  readonly type: number;
  readonly class: number;
  /** The offset behind the question. */
  readonly questionEnd: number;
  readonly edns: Edns | undefined;
}

/** `silent`: not even worth an error (a reply, or too short to answer). `malformed` is answered with FORMERR. */
export type Parsed =
  | { readonly kind: 'query'; readonly query: Query }
  | { readonly kind: 'malformed'; readonly id: number }
  | { readonly kind: 'silent' };

const { RECURSION_DESIRED, CHECKING_DISABLED, DNSSEC_OK } = packet;
const header = 12;
/** An OPT record without its options. */
const optHead = 11;

/**
 * Reads a question (RFC 1035 §4.1) and the OPT record behind it (RFC 6891). This is the fast path: an OPT record alone is read as bytes; its
 * options need only be whole. Whatever else stands behind the question goes to dns-packet.
 */
export function parseQuery(bytes: Buffer): Parsed {
  if (bytes.length < header) return { kind: 'silent' };
  const id = u16(bytes, 0);
  const flags = u16(bytes, 2);
  // Answering a reply would let two servers talk forever.
  if (flags & 0x8000) return { kind: 'silent' };
  const question = u16(bytes, 4) === 1 ? readName(bytes, header) : undefined;
  if (!question || question.end + 4 > bytes.length) return { kind: 'malformed', id };
  const questionEnd = question.end + 4;
  const opcode = (flags >> 11) & 15;
  const edns = readEdns(bytes, questionEnd, opcode);
  if (edns === 'malformed') return { kind: 'malformed', id };
  const query: Query = {
    bytes,
    id,
    opcode,
    recursionDesired: (flags & RECURSION_DESIRED) !== 0,
    checkingDisabled: (flags & CHECKING_DISABLED) !== 0,
    name: question.name,
    isLowerCase: question.isLowerCase,
    type: u16(bytes, question.end),
    class: u16(bytes, question.end + 2),
    questionEnd,
    edns,
  };
  return { kind: 'query', query };
}

function readEdns(bytes: Buffer, at: number, opcode: number): Edns | undefined | 'malformed' {
  const before = u16(bytes, 6) | u16(bytes, 8);
  const additional = u16(bytes, 10);
  if (before + additional === 0) return undefined;
  if (before === 0 && additional === 1 && bytes[at] === 0 && at + optHead <= bytes.length && u16(bytes, at + 1) === TYPE.OPT)
    return readOpt(bytes, at);
  const edns = decodeEdns(bytes);
  // An UPDATE has records without data, which dns-packet cannot read; it is refused whatever they are.
  return edns === 'malformed' && opcode !== 0 ? undefined : edns;
}

function readOpt(bytes: Buffer, at: number): Edns | 'malformed' {
  const end = at + optHead + u16(bytes, at + 9);
  if (end > bytes.length) return 'malformed';
  let option = at + optHead;
  while (option + 4 <= end) option += 4 + u16(bytes, option + 2);
  if (option !== end) return 'malformed';
  return {
    size: Math.max(u16(bytes, at + 3), 512),
    version: bytes[at + 6] ?? 0,
    wantsDnssec: (u16(bytes, at + 7) & DNSSEC_OK) !== 0,
  };
}

/** Faster than Buffer's, which checks bounds: 0 beyond the end. */
function u16(bytes: Buffer, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

/** The general path: reads the whole message. Of records that have no business in a question it takes as many as CoreDNS does. */
function decodeEdns(bytes: Buffer): Edns | undefined | 'malformed' {
  if (bytes.readUInt16BE(6) > 1 || bytes.readUInt16BE(8) > 1 || bytes.readUInt16BE(10) > 2) return 'malformed';
  try {
    const opts = (packet.decode(bytes).additionals ?? []).filter((r) => r.type === 'OPT');
    // RFC 6891 §6.1.1.
    if (opts.length > 1) return 'malformed';
    const [opt] = opts;
    return opt && { size: Math.max(opt.udpPayloadSize, 512), version: opt.ednsVersion, wantsDnssec: opt.flag_do };
  } catch {
    return 'malformed';
  }
}

/** A message that asks for a name of ours; its id is 0. */
export function encodeQuery(name: string, type: packet.RecordType): Buffer {
  return packet.encode({ type: 'query', flags: RECURSION_DESIRED, questions: [{ type, name: name === '' ? '.' : name }] });
}

/**
 * `suffix`, the end of the question's name, as the client spelt it. Who mixes capitals into a question (0x20) looks for them in every name
 * of the answer that ends as the question does.
 */
export function asSpelt(query: Query, suffix: string): string {
  if (query.isLowerCase) return suffix;
  // Labels have their lengths where the text has dots: the root's 0 ends the name, type and class follow.
  const end = query.questionEnd - 5;
  let text = '';
  for (let i = 0; i < suffix.length; i++) text += suffix[i] === '.' ? '.' : String.fromCharCode(query.bytes[end - suffix.length + i] ?? 0);
  return text;
}
