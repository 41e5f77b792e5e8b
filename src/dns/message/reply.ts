import { RCODE, TYPE } from './names.ts';
import type { Query } from './query.ts';

/** What a plugin answers. Records are whole wire records; an owner of `c0 0c` is the name of the question. */
export interface Reply {
  readonly rcode: number;
  readonly authoritative: boolean;
  readonly answers: readonly Uint8Array[];
  readonly authority: readonly Uint8Array[];
  /** Left out first when there is no room. */
  readonly additional: readonly Uint8Array[];
}

/** A whole message of a resolver, to which only the id, the question's spelling and the OPT belong (see resolver-reply.ts). */
export interface RawReply {
  /** Without OPT. */
  readonly raw: Uint8Array;
  /** Where the ttl of each record stands. */
  readonly ttlAt: readonly number[];
  /** How long it may be kept by what it says itself; 0: not at all. */
  readonly seconds: number;
}

const none: readonly Uint8Array[] = [];
const header = 12;
/** What we offer to take by UDP. https://dnsflagday.net/2020 */
const ourUdpSize = 1232;

export function refusal(rcode: number): Reply {
  return { rcode, authoritative: false, answers: none, authority: none, additional: none };
}

/** The message, at most `limit` bytes long: additional records go first, then answers, and TC says so. */
export function buildReply(query: Query, reply: Reply, limit: number): Buffer {
  const optSize = query.edns ? 11 : 0;
  const room = limit - query.questionEnd - optSize;
  const fit = (records: readonly Uint8Array[], used: number): readonly [number, number] => {
    let n = 0;
    let size = used;
    for (; n < records.length && size + (records[n]?.length ?? 0) <= room; n++) size += records[n]?.length ?? 0;
    return [n, size];
  };
  const [answers, afterAnswers] = fit(reply.answers, 0);
  const [authority, afterAuthority] = fit(reply.authority, afterAnswers);
  const truncated = answers < reply.answers.length || authority < reply.authority.length;
  const [additional, total] = truncated ? [0, afterAuthority] : fit(reply.additional, afterAuthority);
  const out = Buffer.allocUnsafe(query.questionEnd + total + optSize);
  out.set(query.bytes.subarray(0, query.questionEnd), 0);
  const flags =
    0x8000 |
    (query.opcode << 11) |
    (reply.authoritative ? 0x0400 : 0) |
    (truncated ? 0x0200 : 0) |
    (query.recursionDesired ? 0x0100 : 0) |
    (reply.authoritative ? 0 : 0x0080) |
    (query.checkingDisabled ? 0x0010 : 0) |
    (reply.rcode & 15);
  out.writeUInt16BE(flags, 2);
  out.writeUInt16BE(1, 4);
  out.writeUInt16BE(answers, 6);
  out.writeUInt16BE(authority, 8);
  out.writeUInt16BE(additional + (query.edns ? 1 : 0), 10);
  let at = query.questionEnd;
  for (const [records, n] of [
    [reply.answers, answers],
    [reply.authority, authority],
    [reply.additional, additional],
  ] as const) {
    for (let i = 0; i < n; i++) {
      const record = records[i];
      if (!record) continue;
      out.set(record, at);
      at += record.length;
    }
  }
  if (query.edns) writeOpt(out, at, reply.rcode >> 4, query.edns.wantsDnssec);
  return out;
}

function writeOpt(out: Buffer, at: number, highRcode: number, wantsDnssec: boolean): void {
  out[at] = 0;
  out.writeUInt16BE(TYPE.OPT, at + 1);
  out.writeUInt16BE(ourUdpSize, at + 3);
  out[at + 5] = highRcode;
  out[at + 6] = 0;
  out.writeUInt16BE(wantsDnssec ? 0x8000 : 0, at + 7);
  out.writeUInt16BE(0, at + 9);
}

/** A message of a resolver under the id and question of `query`; TC and nothing else when it is too long. */
export function rebuildRaw(query: Query, raw: Uint8Array, limit: number): Buffer {
  const optSize = query.edns ? 11 : 0;
  if (raw.length + optSize > limit) {
    const cut = buildReply(query, refusal((raw[3] ?? 0) & 15), limit);
    cut.writeUInt16BE(cut.readUInt16BE(2) | 0x0200, 2);
    return cut;
  }
  const out = Buffer.allocUnsafe(raw.length + optSize);
  out.set(raw, 0);
  out.writeUInt16BE(query.id, 0);
  const ours = 0x0100 | 0x0010;
  const asked = (query.recursionDesired ? 0x0100 : 0) | (query.checkingDisabled ? 0x0010 : 0);
  out.writeUInt16BE((out.readUInt16BE(2) & ~ours) | asked, 2);
  // The question as this client spelt it; its length is the same.
  out.set(query.bytes.subarray(header, query.questionEnd), header);
  if (query.edns) {
    out.writeUInt16BE(out.readUInt16BE(10) + 1, 10);
    writeOpt(out, raw.length, 0, query.edns.wantsDnssec);
  }
  return out;
}

/** What is sent for bytes that are no question: the id, and FORMERR. */
export function formatError(id: number): Buffer {
  const out = Buffer.alloc(header);
  out.writeUInt16BE(id, 0);
  out.writeUInt16BE(0x8000 | RCODE.FORMERR, 2);
  return out;
}
