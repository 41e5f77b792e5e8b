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

/** Reads a question with at most an OPT record behind it (RFC 1035 §4.1, RFC 6891). */
export function parseQuery(bytes: Uint8Array): Parsed {
  if (bytes.length < header) return { kind: 'silent' };
  const u16 = (at: number): number => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  const id = u16(0);
  const flags = u16(2);
  // Answering a reply would let two servers talk forever.
  if (flags & 0x8000) return { kind: 'silent' };
  if (u16(4) !== 1) return { kind: 'malformed', id };
  const question = readName(bytes, header);
  if (!question || question.end + 4 > bytes.length) return { kind: 'malformed', id };
  const questionEnd = question.end + 4;
  let edns: Edns | undefined;
  // An OPT stands right behind the question; elsewhere (after a TSIG, in an UPDATE) we do not look.
  if (u16(10) > 0 && u16(6) === 0 && u16(8) === 0 && bytes[questionEnd] === 0 && u16(questionEnd + 1) === TYPE.OPT) {
    if (questionEnd + 11 > bytes.length || questionEnd + 11 + u16(questionEnd + 9) > bytes.length) return { kind: 'malformed', id };
    edns = {
      size: Math.max(u16(questionEnd + 3), 512),
      version: bytes[questionEnd + 6] ?? 0,
      wantsDnssec: (u16(questionEnd + 7) & 0x8000) !== 0,
    };
  }
  const query: Query = {
    bytes,
    id,
    opcode: (flags >> 11) & 15,
    recursionDesired: (flags & 0x0100) !== 0,
    checkingDisabled: (flags & 0x0010) !== 0,
    name: question.name,
    isLowerCase: question.isLowerCase,
    type: u16(question.end),
    class: u16(question.end + 2),
    questionEnd,
    edns,
  };
  return { kind: 'query', query };
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
