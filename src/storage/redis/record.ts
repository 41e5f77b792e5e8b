/**
 * What Redis holds, as bytes. A record is a header and the value; the header has the revisions of creation and change (8 bytes each, big
 * endian) and the id of the write (12 bytes), by which a writer knows its own write again.
 */
import type { StoredRecord, StoreEvent } from '../store.ts';

export const idBytes = 12;
export const headerBytes: number = 16 + idBytes;

/** A write, by its revision and its id: two histories that hold the same one are the same up to it. */
export interface KnownWrite {
  readonly revision: number;
  readonly id: Buffer;
}

/** What an entry of a stream says. */
export interface Entry extends KnownWrite {
  /** Undefined for the mark of a jump: events up to this revision are forgotten. */
  readonly event: StoreEvent | undefined;
}

export function encodeRecord({ value, createRevision, modRevision }: StoredRecord, id: Buffer): Buffer {
  const header = Buffer.alloc(16);
  header.writeBigUInt64BE(BigInt(createRevision), 0);
  header.writeBigUInt64BE(BigInt(modRevision), 8);
  return Buffer.concat([header, id, value]);
}

export function decodeRecord(key: string, bytes: Buffer): StoredRecord {
  return {
    key,
    value: bytes.subarray(headerBytes),
    createRevision: Number(bytes.readBigUInt64BE(0)),
    modRevision: Number(bytes.readBigUInt64BE(8)),
  };
}

/** An entry `[REVISION-0, [k, KEY, v, RECORD, p, PREVIOUS]]`. The record of a deletion is a header alone, created at 0. */
export function decodeEntry([id, fields]: readonly [Buffer, readonly Buffer[]]): Entry {
  const revision = Number.parseInt(id.toString('latin1'), 10);
  const key = fields[1]!.toString();
  const bytes = fields[3]!;
  const record = decodeRecord(key, bytes);
  const previous = fields[5]!.length > 0 ? decodeRecord(key, fields[5]!) : undefined;
  const write = { revision, id: bytes.subarray(16, headerBytes) };
  if (key === '') return { ...write, event: undefined };
  if (record.createRevision === 0) return { ...write, event: { kind: 'delete', revision, key, previous } };
  return { ...write, event: { kind: 'put', revision, record, previous } };
}
