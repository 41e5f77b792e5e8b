/**
 * The file of a store's high-water mark. A mark is written with every commit before that is acknowledged, and synced at most `syncMs` later:
 * a killed process leaves the newest mark, a power cut one that is at most so old. With an older mark a store that is whole still opens; only
 * the loss of later commits goes unnoticed.
 */
import { closeSync, existsSync, fdatasyncSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { blankMark, decodeMark, encodeMark, type Mark, markBytes, slotBytes } from './mark.ts';

/** How long a mark may wait to be on the disk, in milliseconds. */
const syncMs = 100;

export function markPath(path: string): string {
  return `${path}-mark`;
}

export function readMark(path: string): Mark | 'missing' | 'damaged' {
  if (!existsSync(markPath(path))) return 'missing';
  return decodeMark(readFileSync(markPath(path)))?.mark ?? 'damaged';
}

/** Makes the file, whole or not at all, in place of one that may be there. Its size never changes: marking needs no room on the disk. */
export function makeMark(path: string, mark: Mark = blankMark): void {
  const made = `${markPath(path)}.new`;
  const file = openSync(made, 'w', 0o600);
  try {
    const bytes = Buffer.alloc(markBytes);
    for (const at of [0, slotBytes]) bytes.set(encodeMark(mark), at);
    writeSync(file, bytes, 0, bytes.length, 0);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(made, markPath(path));
}

export class MarkFile {
  readonly #fd: number;
  #mark: Mark;
  /** The slot that the next mark is written to. The other one is on the disk. */
  #slot: 0 | 1;
  #syncedAt = performance.now();
  #unsynced: NodeJS.Timeout | undefined;

  /** Opens the file, which is there. */
  constructor(path: string) {
    const found = decodeMark(readFileSync(markPath(path)));
    this.#mark = found?.mark ?? blankMark;
    this.#slot = found?.slot === 0 ? 1 : 0;
    this.#fd = openSync(markPath(path), 'r+');
    // The slot that stays must be on the disk before the other one is written over.
    fdatasyncSync(this.#fd);
  }

  get mark(): Mark {
    return this.#mark;
  }

  /**
   * Writes the mark. When the log has begun anew, it syncs the mark at once: two beginnings later nobody could tell the log from a foreign one.
   * Never throws, because the commit is done. When the mark cannot be written (a full disk, on a file system that copies on write), the older
   * one stays.
   */
  write(mark: Omit<Mark, 'sequence'>): void {
    const begun = mark.log.salts !== this.#mark.log.salts;
    try {
      this.#put({ ...mark, sequence: this.#mark.sequence + 1 });
    } catch {
      return;
    }
    if (begun || performance.now() - this.#syncedAt >= syncMs) this.sync();
    else this.#unsynced ??= setTimeout(() => this.sync(), syncMs);
  }

  /** Syncs the mark to the disk, and turns to the other slot, which gets the same mark first. */
  sync(): void {
    clearTimeout(this.#unsynced);
    this.#unsynced = undefined;
    this.#syncedAt = performance.now();
    try {
      fdatasyncSync(this.#fd);
      this.#slot = this.#slot === 0 ? 1 : 0;
      this.#put(this.#mark);
    } catch {
      // As in `write`: the older mark stays, and the next one goes to the same slot.
    }
  }

  close(): void {
    this.sync();
    closeSync(this.#fd);
  }

  #put(mark: Mark): void {
    writeSync(this.#fd, encodeMark(mark), 0, undefined, this.#slot * slotBytes);
    this.#mark = mark;
  }
}
