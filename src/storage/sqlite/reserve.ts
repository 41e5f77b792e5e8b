/**
 * Room on the disk that is kept for deletes: a file of noise beside the store, given up when the disk is full. Until it can be made again,
 * nothing may make the store larger.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync, statfsSync, statSync, truncateSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

const piece = 1 << 20;
/** A quarter more must be free: a reserve that takes the last room would be given up at once. */
const slack = 1.25;

export class Reserve {
  readonly #path: string;
  /** Its size; 0 for none. */
  readonly bytes: number;
  #whole: boolean;

  /** Takes `bytes`, but at most an eighth of the disk. A disk that never had room for it does without. */
  constructor(path: string, bytes: number) {
    this.#path = `${path}-reserve`;
    const { blocks, bsize } = statfsSync(dirname(path));
    this.bytes = Math.min(bytes, Math.floor((blocks * bsize) / 8));
    // A file that is there but not full was given up by an earlier process.
    const given = existsSync(this.#path);
    this.#whole = this.#make() || !given;
  }

  /** False while it is given up. */
  get whole(): boolean {
    return this.#whole;
  }

  /** Frees the room for the next write; false when there is none to free. */
  giveUp(): boolean {
    if (!this.#whole || !existsSync(this.#path)) return false;
    truncateSync(this.#path, 0);
    this.#whole = false;
    return true;
  }

  /** Makes the reserve again, once there is room. */
  regain(): void {
    this.#whole ||= this.#make();
  }

  #make(): boolean {
    if ((statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0) === this.bytes) return true;
    const { bavail, bsize } = statfsSync(dirname(this.#path));
    if (bavail * bsize < this.bytes * slack) return false;
    try {
      const file = openSync(this.#path, 'w', 0o600);
      try {
        // Noise, because a file system may need no room for zeros.
        for (let at = 0; at < this.bytes; ) at += writeSync(file, randomBytes(Math.min(piece, this.bytes - at)));
        return true;
      } finally {
        closeSync(file);
      }
    } catch {
      if (existsSync(this.#path)) truncateSync(this.#path, 0);
      return false;
    }
  }
}
