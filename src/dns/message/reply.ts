/**
 * Replies as whole messages, put together from records that are ready made. Byte by byte and not by dns-packet, since it is done for each
 * question: records point at the name of the question, and are cut off where a datagram ends.
 */
import packet from 'dns-packet';
import { RCODE } from './names.ts';
import type { Query } from './query.ts';
import { optRecord } from './records.ts';

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
const isReply = 0x8000;
const { AUTHORITATIVE_ANSWER, TRUNCATED_RESPONSE, RECURSION_DESIRED, RECURSION_AVAILABLE, CHECKING_DISABLED } = packet;
/** By the upper bits of the code: those of BADVERS are the only ones that we send. */
const optRecords = [RCODE.NOERROR, RCODE.BADVERS].map((rcode) => ({
  plain: optRecord(rcode >> 4, false),
  dnssec: optRecord(rcode >> 4, true),
}));

/** A code and nothing else. */
export function emptyReply(rcode: number): Reply {
  return { rcode, authoritative: false, answers: none, authority: none, additional: none };
}

/** The message, at most `limit` bytes long: additional records go first, then answers, and TC says so. */
export function buildReply(query: Query, reply: Reply, limit: number): Buffer {
  const opt = optOf(query, reply.rcode);
  let room = limit - query.questionEnd - opt.length;
  const answers = countFitting(reply.answers, room);
  room -= sizeOf(reply.answers, answers);
  const authority = countFitting(reply.authority, room);
  room -= sizeOf(reply.authority, authority);
  const isTruncated = answers < reply.answers.length || authority < reply.authority.length;
  const additional = isTruncated ? 0 : countFitting(reply.additional, room);
  room -= sizeOf(reply.additional, additional);
  const out = Buffer.allocUnsafe(limit - room);
  out.set(query.bytes.subarray(0, query.questionEnd), 0);
  out.writeUInt16BE(flagsOf(query, reply, isTruncated), 2);
  out.writeUInt16BE(1, 4);
  out.writeUInt16BE(answers, 6);
  out.writeUInt16BE(authority, 8);
  out.writeUInt16BE(additional + (query.edns ? 1 : 0), 10);
  let at = put(out, query.questionEnd, reply.answers, answers);
  at = put(out, at, reply.authority, authority);
  at = put(out, at, reply.additional, additional);
  putOpt(out, at, query, opt);
  return out;
}

const noOpt = Buffer.alloc(0);

/** OPT comes back only to those who sent one. */
function optOf({ edns }: Query, rcode: number): Uint8Array {
  const records = edns && optRecords[rcode >> 4];
  if (!records) return noOpt;
  return edns.wantsDnssec ? records.dnssec : records.plain;
}

/** With the client's own size, as CoreDNS has it. */
function putOpt(out: Buffer, at: number, { edns }: Query, opt: Uint8Array): void {
  out.set(opt, at);
  if (edns && opt.length > 0) out.writeUInt16BE(edns.size, at + 3);
}

/** RA is for what a resolver has answered: CoreDNS says it of nothing of its own. */
function flagsOf(query: Query, reply: Reply, isTruncated: boolean): number {
  return (
    isReply |
    (query.opcode << 11) |
    (reply.authoritative ? AUTHORITATIVE_ANSWER : 0) |
    (isTruncated ? TRUNCATED_RESPONSE : 0) |
    askedFlags(query) |
    (reply.rcode & 15)
  );
}

/** What a reply repeats of the question's flags. */
function askedFlags(query: Query): number {
  return (query.recursionDesired ? RECURSION_DESIRED : 0) | (query.checkingDisabled ? CHECKING_DISABLED : 0);
}

/** How many of the first records have room. */
function countFitting(records: readonly Uint8Array[], room: number): number {
  let n = 0;
  for (let left = room; n < records.length; n++) {
    left -= records[n]?.length ?? 0;
    if (left < 0) break;
  }
  return n;
}

function sizeOf(records: readonly Uint8Array[], count: number): number {
  let size = 0;
  for (let i = 0; i < count; i++) size += records[i]?.length ?? 0;
  return size;
}

/** Gives the offset behind them. */
function put(out: Buffer, start: number, records: readonly Uint8Array[], count: number): number {
  let at = start;
  for (let i = 0; i < count; i++) {
    const record = records[i] ?? noOpt;
    out.set(record, at);
    at += record.length;
  }
  return at;
}

/** A message of a resolver under the id and question of `query`; TC and nothing else when it is too long. */
export function rebuildRaw(query: Query, raw: Uint8Array, limit: number): Buffer {
  const opt = optOf(query, RCODE.NOERROR);
  if (raw.length + opt.length > limit) {
    const cut = buildReply(query, emptyReply((raw[3] ?? 0) & 15), limit);
    cut.writeUInt16BE(cut.readUInt16BE(2) | TRUNCATED_RESPONSE | RECURSION_AVAILABLE, 2);
    return cut;
  }
  const out = Buffer.allocUnsafe(raw.length + opt.length);
  out.set(raw, 0);
  out.writeUInt16BE(query.id, 0);
  out.writeUInt16BE((out.readUInt16BE(2) & ~(RECURSION_DESIRED | CHECKING_DISABLED)) | askedFlags(query), 2);
  // The question as this client spelt it; its length is the same.
  out.set(query.bytes.subarray(header, query.questionEnd), header);
  if (query.edns) out.writeUInt16BE(out.readUInt16BE(10) + 1, 10);
  putOpt(out, raw.length, query, opt);
  return out;
}

/** What is sent for bytes that are no question: the id, and FORMERR. */
export function formatError(id: number): Buffer {
  return packet.encode({ type: 'response', id, flags: RCODE.FORMERR });
}
