/**
 * What other resolvers answer, checked before anybody else sees it: a malformed message must end here. It is passed on byte by byte, with
 * records of whatever type; dns-packet would decode them, and does not say where their ttls stand.
 */
import { RCODE, TYPE } from './names.ts';
import type { RawReply } from './reply.ts';

const header = 12;
/** How long a failure is kept when nothing says it (RFC 2308 §7). */
const failureSeconds = 5;

/** Where a record stands in its message. */
interface RecordPlace {
  readonly section: 'answer' | 'authority' | 'additional';
  readonly type: number;
  readonly start: number;
  readonly ttlAt: number;
  readonly data: number;
  readonly end: number;
}

/** Undefined when `bytes` is not a whole and well-formed reply with one question that ends at `questionEnd`. */
export function readResolverReply(bytes: Buffer, questionEnd: number): RawReply | undefined {
  if (bytes.length < questionEnd || bytes.readUInt16BE(4) !== 1) return undefined;
  const all = readPlaces(bytes, questionEnd);
  if (!all) return undefined;
  const opts = all.filter((r) => r.type === TYPE.OPT);
  // A code beyond the header's four bits is a quarrel about EDNS between it and us.
  if (opts.some((r) => r.section !== 'additional' || bytes[r.ttlAt] !== 0)) return undefined;
  // What stands behind an OPT (seldom anything) goes with it: compression could point across.
  const kept = opts[0] ? all.slice(0, all.indexOf(opts[0])) : all;
  const raw = Buffer.from(bytes.subarray(0, kept.at(-1)?.end ?? questionEnd));
  raw.writeUInt16BE(kept.filter((r) => r.section === 'additional').length, 10);
  // We are no authority, and we do recurse.
  raw.writeUInt16BE((raw.readUInt16BE(2) & ~0x0400) | 0x0080, 2);
  return { raw, ttlAt: kept.map((r) => r.ttlAt), seconds: secondsOf(raw, kept) };
}

function readPlaces(bytes: Buffer, from: number): RecordPlace[] | undefined {
  const places: RecordPlace[] = [];
  let start = from;
  for (const [section, countAt] of [
    ['answer', 6],
    ['authority', 8],
    ['additional', 10],
  ] as const) {
    for (let left = bytes.readUInt16BE(countAt); left > 0; left--) {
      const data = skipName(bytes, start) + 10;
      if (data > bytes.length) return undefined;
      const end = data + bytes.readUInt16BE(data - 2);
      if (end > bytes.length) return undefined;
      places.push({ section, type: bytes.readUInt16BE(data - 10), start, ttlAt: data - 6, data, end });
      start = end;
    }
  }
  return places;
}

/** How long the message may be kept. */
function secondsOf(raw: Buffer, places: readonly RecordPlace[]): number {
  const isTruncated = ((raw[2] ?? 0) & 0x02) !== 0;
  if (isTruncated) return 0;
  const rcode = (raw[3] ?? 0) & 15;
  if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN) return failureSeconds;
  const isNegative = !places.some((r) => r.section === 'answer');
  const ttls = places
    .filter((r) => r.section !== 'additional')
    .flatMap((r) => {
      const ttl = raw.readUInt32BE(r.ttlAt);
      // The minimum of an SOA bounds a negative answer too (RFC 2308 §5).
      const hasMinimum = isNegative && r.section === 'authority' && r.type === TYPE.SOA && r.end - r.data >= 22;
      return hasMinimum ? [ttl, raw.readUInt32BE(r.end - 4)] : [ttl];
    });
  // A negative answer without SOA says nothing of how long.
  return ttls.length > 0 ? Math.min(...ttls) : 0;
}

/** The offset behind a name, which may end in a pointer; beyond every message when it runs out of this one. */
function skipName(bytes: Uint8Array, start: number): number {
  for (let at = start; at < bytes.length; ) {
    const length = bytes[at] ?? 0;
    // Where a pointer leads is for the client to see; what matters here is where the record goes on. Below 12 is the header.
    if (length >= 0xc0) return (((length & 0x3f) << 8) | (bytes[at + 1] ?? 0)) < header ? Number.POSITIVE_INFINITY : at + 2;
    if (length > 63) return Number.POSITIVE_INFINITY;
    at += length + 1;
    if (length === 0) return at;
  }
  return Number.POSITIVE_INFINITY;
}
