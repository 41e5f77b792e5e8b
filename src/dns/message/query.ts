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

const header = 12;
/** An OPT record without its options. */
const optHead = 11;

/**
 * Reads a question (RFC 1035 §4.1) and the OPT record behind it (RFC 6891). This is the fast path: an OPT record alone is read as bytes, its
 * options are passed over. Whatever else stands behind the question goes to dns-packet.
 */
export function parseQuery(bytes: Buffer): Parsed {
  if (bytes.length < header) return { kind: 'silent' };
  const id = bytes.readUInt16BE(0);
  const flags = bytes.readUInt16BE(2);
  // Answering a reply would let two servers talk forever.
  if (flags & 0x8000) return { kind: 'silent' };
  const question = bytes.readUInt16BE(4) === 1 ? readName(bytes, header) : undefined;
  if (!question || question.end + 4 > bytes.length) return { kind: 'malformed', id };
  const questionEnd = question.end + 4;
  const opcode = (flags >> 11) & 15;
  const edns = readEdns(bytes, questionEnd, opcode);
  if (edns === 'malformed') return { kind: 'malformed', id };
  const query: Query = {
    bytes,
    id,
    opcode,
    recursionDesired: (flags & packet.RECURSION_DESIRED) !== 0,
    checkingDisabled: (flags & packet.CHECKING_DISABLED) !== 0,
    name: question.name,
    isLowerCase: question.isLowerCase,
    type: bytes.readUInt16BE(question.end),
    class: bytes.readUInt16BE(question.end + 2),
    questionEnd,
    edns,
  };
  return { kind: 'query', query };
}

function readEdns(bytes: Buffer, at: number, opcode: number): Edns | undefined | 'malformed' {
  const before = bytes.readUInt16BE(6) | bytes.readUInt16BE(8);
  const additional = bytes.readUInt16BE(10);
  if (before + additional === 0) return undefined;
  if (before === 0 && additional === 1 && bytes[at] === 0 && at + optHead <= bytes.length && bytes.readUInt16BE(at + 1) === TYPE.OPT)
    return readOpt(bytes, at);
  // An UPDATE has records without data, which dns-packet cannot read; it is refused whatever they are.
  return opcode === 0 ? decodeEdns(bytes) : undefined;
}

function readOpt(bytes: Buffer, at: number): Edns | 'malformed' {
  if (at + optHead + bytes.readUInt16BE(at + 9) > bytes.length) return 'malformed';
  return {
    size: Math.max(bytes.readUInt16BE(at + 3), 512),
    version: bytes[at + 6] ?? 0,
    wantsDnssec: (bytes.readUInt16BE(at + 7) & packet.DNSSEC_OK) !== 0,
  };
}

/** The general path: reads the whole message. Of records that have no business in a question it takes as many as CoreDNS does. */
export function decodeEdns(bytes: Buffer): Edns | undefined | 'malformed' {
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
  return packet.encode({ type: 'query', flags: packet.RECURSION_DESIRED, questions: [{ type, name: name === '' ? '.' : name }] });
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
