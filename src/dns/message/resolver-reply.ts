/** What other resolvers answer, checked before anybody else sees it: a malformed message must end here. */
import { RCODE, TYPE } from './names.ts';
import type { RawReply } from './reply.ts';

const header = 12;
/** How long a failure is kept when nothing says it (RFC 2308 §7). */
const failureSeconds = 5;

/** Undefined when `bytes` is not a whole and well-formed reply with one question that ends at `questionEnd`. */
export function readResolverReply(bytes: Buffer, questionEnd: number): RawReply | undefined {
  if (bytes.length < questionEnd || bytes.readUInt16BE(4) !== 1) return undefined;
  const counts = [6, 8, 10].map((at) => bytes.readUInt16BE(at)) as [number, number, number];
  const ttlAt: number[] = [];
  let at = questionEnd;
  let least = Number.POSITIVE_INFINITY;
  let additional = 0;
  let end = 0;
  for (const [section, count] of counts.entries()) {
    for (let i = 0; i < count; i++) {
      const start = at;
      const data = skipName(bytes, start) + 10;
      if (data > bytes.length) return undefined;
      at = data + bytes.readUInt16BE(data - 2);
      if (at > bytes.length) return undefined;
      const type = bytes.readUInt16BE(data - 10);
      if (type === TYPE.OPT) {
        // A code beyond the header's four bits is a quarrel about EDNS between it and us.
        if (section !== 2 || bytes[data - 6] !== 0) return undefined;
        end ||= start;
      }
      // What stands behind an OPT (seldom anything) goes with it: compression could point across.
      if (end > 0) continue;
      ttlAt.push(data - 6);
      if (section === 2) additional++;
      else least = Math.min(least, bytes.readUInt32BE(data - 6));
      // The minimum of an SOA bounds a negative answer too (RFC 2308 §5).
      if (section === 1 && type === TYPE.SOA && counts[0] === 0 && at - data >= 22) least = Math.min(least, bytes.readUInt32BE(at - 4));
    }
  }
  const raw = Buffer.from(bytes.subarray(0, end || at));
  raw.writeUInt16BE(additional, 10);
  // We are no authority, and we do recurse.
  raw.writeUInt16BE((raw.readUInt16BE(2) & ~0x0400) | 0x0080, 2);
  const isTruncated = ((raw[2] ?? 0) & 0x02) !== 0;
  const rcode = (raw[3] ?? 0) & 15;
  const isAnswer = rcode === RCODE.NOERROR || rcode === RCODE.NXDOMAIN;
  // A negative answer without SOA says nothing of how long.
  const seconds = isTruncated ? 0 : !isAnswer ? failureSeconds : Number.isFinite(least) ? least : 0;
  return { raw, ttlAt, seconds };
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
