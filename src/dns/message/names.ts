/** Names on the wire (RFC 1035 §3.1, §4.1.4) and numbers of the protocol. */

export const TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  ANY: 255,
  AXFR: 252,
  IXFR: 251,
} as const;
export const CLASS_IN = 1;
export const RCODE = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5, BADVERS: 16 } as const;

/** `web.default.svc.cluster.local` (no dot at the end; '' is the root) as labels with lengths, uncompressed. */
export function encodeName(name: string): Buffer {
  if (name === '') return Buffer.from([0]);
  const parts: Buffer[] = [];
  for (const label of name.split('.')) {
    const bytes = Buffer.from(label, 'latin1');
    if (bytes.length === 0 || bytes.length > 63) throw new RangeError(`Cannot encode name "${name}": a label has ${bytes.length} bytes`);
    parts.push(Buffer.from([bytes.length]), bytes);
  }
  parts.push(Buffer.from([0]));
  const whole = Buffer.concat(parts);
  if (whole.length > 255) throw new RangeError(`Cannot encode name "${name}": longer than 255 bytes`);
  return whole;
}

/** Reading one name at a time needs no more than this. */
const scratch = Buffer.alloc(255);

/**
 * Reads a name without compression, as in a question. Gives it in lower case without a dot at the end, whether it was spelt so, and the
 * offset behind it; undefined when it is malformed. A dot inside a label is read as NUL and other bytes as latin1, so they match nothing
 * of ours.
 */
export function readName(
  bytes: Uint8Array,
  start: number,
): { readonly name: string; readonly isLowerCase: boolean; readonly end: number } | undefined {
  let n = 0;
  let capitals = 0;
  let at = start;
  for (;;) {
    const length = bytes[at];
    if (length === undefined || length > 63) return undefined;
    at++;
    if (length === 0) break;
    const end = at + length;
    if (end > bytes.length || end - start > 254) return undefined;
    if (n > 0) scratch[n++] = 46;
    for (; at < end; at++) {
      const c = bytes[at] ?? 0;
      const isCapital = c >= 65 && c <= 90;
      if (isCapital) capitals++;
      scratch[n++] = isCapital ? c + 32 : c === 46 ? 0 : c;
    }
  }
  return { name: scratch.toString('latin1', 0, n), isLowerCase: capitals === 0, end: at };
}

/** Whether `name` is `zone` or below it; both in lower case. */
export function isWithin(name: string, zone: string): boolean {
  return name.endsWith(zone) && (name.length === zone.length || name[name.length - zone.length - 1] === '.');
}

/** Lower case for bytes of a name on the wire: lengths of labels are below the letters. */
export function lowerCase(wire: Uint8Array): Buffer {
  return Buffer.from(wire.map((c) => (c >= 65 && c <= 90 ? c + 32 : c)));
}
