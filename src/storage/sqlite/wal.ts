/** SQLite's write-ahead log as it lies on the disk, read without SQLite, which would take a damaged frame for the log's end. */

import { type LogMark, noLog } from './mark.ts';

// https://www.sqlite.org/fileformat2.html#the_write_ahead_log
const magic = 0x377f_0682;
const header = 32;
const frameHeader = 24;

export interface Wal {
  /** The two salts, hexadecimal; empty when there is no log, or its header cannot be read. */
  readonly salts: string;
  /** Checksums of the valid frames up to the last one that ends a commit, hexadecimal. */
  readonly checksums: readonly string[];
}

export const noWal: Wal = { salts: '', checksums: [] };

/** SQLite's checksum: two sums over pairs of 32-bit words. That of a frame goes on from that of the frame before. */
class Checksum {
  #a = 0;
  #b = 0;
  readonly #littleEndian: boolean;

  constructor(littleEndian: boolean) {
    this.#littleEndian = littleEndian;
  }

  add(view: DataView, start: number, end: number): void {
    let [a, b] = [this.#a, this.#b];
    for (let at = start; at < end; at += 8) {
      a = (a + view.getUint32(at, this.#littleEndian) + b) | 0;
      b = (b + view.getUint32(at + 4, this.#littleEndian) + a) | 0;
    }
    [this.#a, this.#b] = [a, b];
  }

  /** True when the sums are those at `at`, which are always big-endian. */
  matches(view: DataView, at: number): boolean {
    return view.getInt32(at) === this.#a && view.getInt32(at + 4) === this.#b;
  }
}

/** What SQLite will find in the bytes of a log. */
export function readWal(bytes: Uint8Array): Wal {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < header || (view.getUint32(0) & ~1) >>> 0 !== magic) return noWal;
  const sum = new Checksum((view.getUint32(0) & 1) === 0);
  sum.add(view, 0, 24);
  if (!sum.matches(view, 24)) return noWal;
  const page = view.getUint32(8);
  const checksums: string[] = [];
  let committed = 0;
  for (let at = header; at + frameHeader + page <= bytes.length; at += frameHeader + page) {
    // A frame of an earlier round of the log has other salts: the log ends before it.
    if (view.getUint32(at + 8) !== view.getUint32(16) || view.getUint32(at + 12) !== view.getUint32(20)) break;
    sum.add(view, at, at + 8);
    sum.add(view, at + frameHeader, at + frameHeader + page);
    if (!sum.matches(view, at + 16)) break;
    checksums.push(hex(bytes, at + 16));
    if (view.getUint32(at + 4) !== 0) committed = checksums.length;
  }
  return { salts: hex(bytes, 16), checksums: checksums.slice(0, committed) };
}

/** True when SQLite begins a log with `salts` after one with the salts `before`: the first salt is one higher, the second is random. */
export function followsLog(before: string, salts: string): boolean {
  // An empty text has no number (NaN), and NaN equals nothing.
  return Number.parseInt(salts.slice(0, 8), 16) === (Number.parseInt(before.slice(0, 8), 16) + 1) % 2 ** 32;
}

/** The log's state from the head of the wal-index (`-shm`), which is in the byte order of the machine: little-endian on both that are served. */
export function readWalIndex(head: Buffer): LogMark {
  const frames = head.readUInt32LE(16);
  if (frames === 0) return noLog;
  const checksum = Buffer.alloc(8);
  checksum.writeUInt32BE(head.readUInt32LE(24), 0);
  checksum.writeUInt32BE(head.readUInt32LE(28), 4);
  return { salts: hex(head, 32), frames, checksum: checksum.toString('hex') };
}

/** Bytes of the wal-index that `readWalIndex` wants. */
export const walIndexHead = 48;

function hex(bytes: Uint8Array, at: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + at, 8).toString('hex');
}
