/** Names on the wire (RFC 1035 §3.1, §4.1.4) and numbers of the protocol. */
import packet from 'dns-packet';

/** Part of the package, but not of its types. */
const { name: codec } = packet as unknown as { readonly name: { encode(name: string): Buffer } };

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

/** Whether `text` can stand on the wire: labels of 1 to 63 printable characters, 255 bytes with their lengths. '' is the root. */
export function isName(text: string): boolean {
  return text === '' || (text.length <= 253 && text.split('.').every((label) => /^[!-~]{1,63}$/.test(label)));
}

/** A name (no dot at the end; '' is the root) on the wire, uncompressed. Throws RangeError for what is no name: dns-packet takes any text. */
export function encodeName(name: string): Buffer {
  if (!isName(name)) throw new RangeError(`Cannot encode name "${name}": a label has to have 1 to 63 characters, all together 253`);
  return codec.encode(name === '' ? '.' : name);
}

/** Reading one name at a time needs no more than this. */
const scratch = Buffer.alloc(255);
/** Each byte of a label as the text of a name has it: a dot inside a label becomes NUL, so that it ends no label. */
const textOf = Uint8Array.from({ length: 256 }, (_, c) => (c === 46 ? 0 : lowerCaseOf(c)));

/**
 * Reads a name without compression, as in a question. Gives it in lower case without a dot at the end, whether it was spelt so, and the
 * offset behind it; undefined when it is malformed. Bytes are read as latin1, not as dns-packet does as UTF-8: a label may hold any bytes,
 * and two different ones must not look alike.
 */
export function readName(
  bytes: Uint8Array,
  start: number,
): { readonly name: string; readonly isLowerCase: boolean; readonly end: number } | undefined {
  let n = 0;
  let isLowerCase = true;
  let at = start;
  for (;;) {
    const length = bytes[at++];
    if (length === 0) return { name: scratch.toString('latin1', 0, n), isLowerCase, end: at };
    // Beyond 63 a pointer, or nothing that is defined.
    if (length === undefined || length > 63) return undefined;
    const end = at + length;
    if (end > bytes.length || end - start > 254) return undefined;
    if (n > 0) scratch[n++] = 46;
    if (copyLabel(bytes, at, end, n)) isLowerCase = false;
    n += length;
    at = end;
  }
}

/** Puts a label as text at `to` of the scratch. Gives whether it has capitals. */
function copyLabel(bytes: Uint8Array, start: number, end: number, to: number): boolean {
  let hasCapitals = false;
  for (let at = start; at < end; at++) {
    const c = bytes[at] ?? 0;
    if (isCapital(c)) hasCapitals = true;
    scratch[to + at - start] = textOf[c] ?? 0;
  }
  return hasCapitals;
}

/** Whether `name` is `zone` or below it; both in lower case. */
export function isWithin(name: string, zone: string): boolean {
  return name.endsWith(zone) && (name.length === zone.length || name[name.length - zone.length - 1] === '.');
}

/** Lower case for bytes of a name on the wire: lengths of labels are below the letters. */
export function lowerCase(wire: Uint8Array): Buffer {
  return Buffer.from(wire.map(lowerCaseOf));
}

function lowerCaseOf(c: number): number {
  return isCapital(c) ? c + 32 : c;
}

function isCapital(c: number): boolean {
  return c >= 65 && c <= 90;
}
