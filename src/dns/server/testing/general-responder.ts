/** What Responder does, by dns-packet alone: slow and plain, so that the fast path can be held against it. */
import packet from 'dns-packet';
import { RCODE, TYPE } from '../../message/names.ts';
import type { Query } from '../../message/query.ts';
import { emptyReply, type Reply } from '../../message/reply.ts';
import type { Answer, Client, Next } from '../../plugin/plugin.ts';

/** Reads what begins at `at`; `bytes` is how many the last one took. */
interface Decode<T> {
  (bytes: Buffer, at: number): T;
  bytes: number;
}

const codecs = packet as unknown as {
  readonly answer: { readonly decode: Decode<packet.Answer> };
  readonly question: { readonly decode: Decode<packet.Question> };
  readonly option: { decode: Decode<{ readonly code: number; readonly data: Buffer }> };
};
const { answer: recordCodec, question: questionCodec } = codecs;

// Nobody here acts on an option of EDNS, so none looks into it. dns-packet would, and past the end of a client subnet that is too short.
const decodeOption = (bytes: Buffer, at: number): { readonly code: number; readonly data: Buffer } => {
  const end = at + 4 + bytes.readUInt16BE(at + 2);
  codecs.option.decode.bytes = end - at;
  return { code: bytes.readUInt16BE(at), data: bytes.subarray(at + 4, end) };
};
codecs.option.decode = Object.assign(decodeOption, { bytes: 0 });

type Opt = Extract<packet.Answer, { type: 'OPT' }>;

const header = 12;

export class GeneralResponder {
  readonly #answer: Next;
  readonly #client: Client;

  constructor(answer: Next, client: Client) {
    this.#answer = answer;
    this.#client = client;
  }

  /** Undefined when dns-packet cannot read `bytes`, or when they are no question. */
  respond(bytes: Buffer): packet.Packet | undefined {
    const asked = decode(bytes);
    const question = asked?.questions?.[0];
    if (!asked || asked.type === 'response' || !question) return undefined;
    const opts = (asked.additionals ?? []).filter((r): r is Opt => r.type === 'OPT');
    const opt = opts[0];
    questionCodec.decode(bytes, header);
    const questionEnd = header + questionCodec.decode.bytes;
    const query: Query = {
      bytes,
      id: asked.id ?? 0,
      opcode: (bytes.readUInt16BE(2) >> 11) & 15,
      recursionDesired: asked.flag_rd,
      checkingDisabled: asked.flag_cd,
      name: question.name === '.' ? '' : question.name.toLowerCase(),
      isLowerCase: question.name === question.name.toLowerCase(),
      type: bytes.readUInt16BE(questionEnd - 4),
      class: bytes.readUInt16BE(questionEnd - 2),
      questionEnd,
      edns: opt && { size: Math.max(opt.udpPayloadSize, 512), version: opt.ednsVersion, wantsDnssec: opt.flag_do },
    };
    return this.#render(asked, query, this.#found(asked, query));
  }

  #found(asked: packet.DecodedPacket, query: Query): Answer {
    if (query.opcode !== 0) return emptyReply(RCODE.NOTIMP);
    if ((query.edns?.version ?? 0) !== 0) return emptyReply(RCODE.BADVERS);
    const question = asked.questions?.[0];
    if (question?.class !== 'IN' || query.type === TYPE.AXFR || query.type === TYPE.IXFR) return emptyReply(RCODE.REFUSED);
    const found = this.#answer({ query, client: this.#client, transport: 'tcp' });
    if (found instanceof Promise) throw new Error('A test answers at once');
    return found;
  }

  #render(asked: packet.DecodedPacket, query: Query, found: Answer): packet.Packet {
    const body = 'raw' in found ? packet.decode(Buffer.from(found.raw)) : sectionsOf(query, found);
    const rcode = 'raw' in found ? (found.raw[3] ?? 0) & 15 : found.rcode;
    const isAuthoritative = 'raw' in found ? false : found.authoritative;
    const flags =
      (query.opcode << 11) |
      (isAuthoritative ? packet.AUTHORITATIVE_ANSWER : 0) |
      ('raw' in found ? packet.RECURSION_AVAILABLE : 0) |
      (asked.flag_rd ? packet.RECURSION_DESIRED : 0) |
      (asked.flag_cd ? packet.CHECKING_DISABLED : 0) |
      (rcode & 15);
    const opt = {
      type: 'OPT',
      name: '.',
      udpPayloadSize: query.edns?.size,
      extendedRcode: rcode >> 4,
      ednsVersion: 0,
      flags: query.edns?.wantsDnssec ? packet.DNSSEC_OK : 0,
      options: [],
    } as unknown as packet.Answer;
    return {
      type: 'response',
      id: query.id,
      flags,
      questions: asked.questions ?? [],
      answers: body.answers ?? [],
      authorities: body.authorities ?? [],
      additionals: [...(body.additionals ?? []), ...(query.edns ? [opt] : [])],
    };
  }
}

function decode(bytes: Buffer): packet.DecodedPacket | undefined {
  try {
    return packet.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Ready-made records, read in front of the question at which they point. */
function sectionsOf({ bytes, questionEnd }: Query, { answers, authority, additional }: Reply): packet.Packet {
  const question = bytes.subarray(0, questionEnd);
  const read = (records: readonly Uint8Array[]): packet.Answer[] =>
    records.map((record) => recordCodec.decode(Buffer.concat([question, record]), questionEnd));
  return { answers: read(answers), authorities: read(authority), additionals: read(additional) };
}
