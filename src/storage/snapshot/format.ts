/**
 * The bytes of a snapshot. Pure.
 *
 *     "FLDSNAP1"  length of the header (u32)  the header as JSON
 *     per record: length of the key (u32)  length of the value (u32)  createRevision, modRevision, expiry or 0 (u64 each)  key  value
 *     0 (u32)  number of records (u64)  SHA-256 of everything before it  "FLDSNEND"
 *
 * Numbers are little-endian. Values are as the store holds them: what is encrypted there is encrypted here.
 */
import type { ImageRecord } from '../image.ts';

export interface SnapshotHeader {
  /** The version of Fairlead that wrote it. */
  readonly version: string;
  /** As ISO 8601. */
  readonly savedAt: string;
  readonly engine: string;
  /** Identity of the store. */
  readonly cluster: string;
  readonly revision: number;
}

/** How much of a snapshot is read or written at once. */
export const chunkBytes: number = 1 << 20;
export const magic = 'FLDSNAP1';
const end = 'FLDSNEND';
/** The magic and the length of the header. */
export const prefixBytes = 12;
export const checksumBytes = 32;
/** The checksum and the mark behind it. */
export const tailBytes: number = checksumBytes + end.length;
const recordHead = 32;

export function encodeHeader(header: SnapshotHeader): Buffer {
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  return Buffer.concat([Buffer.from(magic), length, json]);
}

export function encodeRecord({ key, value, createRevision, modRevision, expiresAt }: ImageRecord): Buffer {
  const name = Buffer.from(key);
  const head = Buffer.alloc(recordHead);
  head.writeUInt32LE(name.length, 0);
  head.writeUInt32LE(value.length, 4);
  for (const [i, n] of [createRevision, modRevision, expiresAt ?? 0].entries()) head.writeBigUInt64LE(BigInt(n), 8 + 8 * i);
  return Buffer.concat([head, name, value]);
}

/** What follows the last record and is under the checksum. */
export function encodeCount(records: number): Buffer {
  const count = Buffer.alloc(12);
  count.writeBigUInt64LE(BigInt(records), 4);
  return count;
}

export function encodeTail(checksum: Uint8Array): Buffer {
  return Buffer.concat([checksum, Buffer.from(end)]);
}

/** The length of the header, by the first bytes of a file; undefined when it is no snapshot of this format. */
export function headerLength(prefix: Buffer): number | undefined {
  return prefix.length >= prefixBytes && prefix.toString('latin1', 0, magic.length) === magic
    ? prefix.readUInt32LE(magic.length)
    : undefined;
}

/** Undefined when it cannot be read. */
export function decodeHeader(json: Buffer): SnapshotHeader | undefined {
  try {
    return JSON.parse(json.toString()) as SnapshotHeader;
  } catch {
    return undefined;
  }
}

/** The checksum that the last bytes of a file carry; undefined when the end is not there. */
export function decodeTail(tail: Buffer): Buffer | undefined {
  return tail.toString('latin1', checksumBytes) === end ? tail.subarray(0, checksumBytes) : undefined;
}

/** The record at `at` and where the next one begins; the number of records behind the last one; undefined when more bytes are needed. */
export function decodeRecord(
  bytes: Buffer,
  at: number,
): { readonly record: ImageRecord; readonly next: number } | { readonly count: number } | undefined {
  if (bytes.length < at + 12) return undefined;
  const keyLength = bytes.readUInt32LE(at);
  if (keyLength === 0) return { count: Number(bytes.readBigUInt64LE(at + 4)) };
  const valueAt = at + recordHead + keyLength;
  const next = valueAt + bytes.readUInt32LE(at + 4);
  if (bytes.length < next) return undefined;
  const [createRevision, modRevision, expires] = [8, 16, 24].map((i) => Number(bytes.readBigUInt64LE(at + i)));
  return {
    next,
    record: {
      key: bytes.toString('utf8', at + recordHead, valueAt),
      value: bytes.subarray(valueAt, next),
      createRevision: createRevision!,
      modRevision: modRevision!,
      expiresAt: expires || undefined,
    },
  };
}
