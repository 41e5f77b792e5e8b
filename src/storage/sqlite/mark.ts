/**
 * The high-water mark of a store: how far it had come when the last write was acknowledged. It lies beside the store in a file of two slots,
 * so that a slot that was being written when the power went leaves the other one.
 */
import { crc32 } from 'node:zlib';

/** How far the write-ahead log had come. SQLite chains the checksums of its frames, so that the newest one vouches for all before it. */
export interface LogMark {
  /** The log's two salts, hexadecimal: another one each time the log begins anew. Empty: there was no log. */
  readonly salts: string;
  /** Frames that must be there; 0 when the file alone holds everything. */
  readonly frames: number;
  /** Of the frame `frames`, hexadecimal. */
  readonly checksum: string;
}

export interface Mark {
  /** Counts the marks: the higher one of two slots is the newer. */
  readonly sequence: number;
  /** Identity of the store, 32 hexadecimal digits; empty while nothing has been acknowledged. */
  readonly cluster: string;
  readonly revision: number;
  /** Counts commits. Unlike the revision it also grows when a commit only trims the log of events. */
  readonly commits: number;
  /** How many of the commits the file alone held after the last complete checkpoint. */
  readonly base: number;
  readonly log: LogMark;
}

/** Slots lie in pages of their own: a write touches one. */
export const slotBytes = 4_096;
export const markBytes: number = 2 * slotBytes;

const magic = 'FLDMARK1';
const length = 96;

export const noLog: LogMark = { salts: '', frames: 0, checksum: '' };

/** A mark under which nothing has been acknowledged yet: any store fits it. */
export const blankMark: Mark = { sequence: 0, cluster: '', revision: 0, commits: 0, base: 0, log: noLog };

/** The bytes of one slot, without its padding. */
export function encodeMark(mark: Mark): Uint8Array {
  const slot = Buffer.alloc(length);
  slot.write(magic, 0, 'latin1');
  for (const [i, n] of [mark.sequence, mark.revision, mark.commits, mark.base, mark.log.frames].entries())
    slot.writeBigUInt64LE(BigInt(n), 8 + 8 * i);
  slot.write(mark.cluster, 48, 'hex');
  slot.write(mark.log.salts, 64, 'hex');
  slot.write(mark.log.checksum, 72, 'hex');
  slot.writeUInt8(flagsOf(mark), 80);
  slot.writeUInt32LE(crc32(slot.subarray(0, length - 4)), length - 4);
  return slot;
}

/** Which of the texts are empty: an empty one and one of zeros have the same bytes. */
function flagsOf({ cluster, log }: Mark): number {
  return (cluster === '' ? 1 : 0) | (log.salts === '' ? 2 : 0);
}

function decodeSlot(bytes: Uint8Array): Mark | undefined {
  const slot = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (slot.length < length || slot.toString('latin1', 0, 8) !== magic) return undefined;
  if (slot.readUInt32LE(length - 4) !== crc32(slot.subarray(0, length - 4))) return undefined;
  const [sequence, revision, commits, base, frames] = [0, 1, 2, 3, 4].map((i) => Number(slot.readBigUInt64LE(8 + 8 * i)));
  const flags = slot.readUInt8(80);
  const noLog = (flags & 2) !== 0;
  return {
    sequence: sequence!,
    cluster: flags & 1 ? '' : slot.toString('hex', 48, 64),
    revision: revision!,
    commits: commits!,
    base: base!,
    log: { salts: noLog ? '' : slot.toString('hex', 64, 72), frames: frames!, checksum: noLog ? '' : slot.toString('hex', 72, 80) },
  };
}

/** The newer one of the slots that can be read, and which one it is; undefined when neither can. */
export function decodeMark(file: Uint8Array): { readonly mark: Mark; readonly slot: 0 | 1 } | undefined {
  const [first, second] = [decodeSlot(file.subarray(0, slotBytes)), decodeSlot(file.subarray(slotBytes))];
  if (first && (!second || first.sequence >= second.sequence)) return { mark: first, slot: 0 };
  return second && { mark: second, slot: 1 };
}
