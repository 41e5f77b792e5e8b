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
  /** 0 for none. */
  readonly bytes: number;
  #whole: boolean;

  /** At most `bytes`, and an eighth of a small disk. One that has no room for it from the beginning does without. */
  constructor(path: string, bytes: number) {
    this.#path = `${path}-reserve`;
    const { blocks, bsize } = statfsSync(dirname(path));
    this.bytes = Math.min(bytes, Math.floor((blocks * bsize) / 8));
    // Empty: it was given up before this start.
    const given = existsSync(this.#path);
    this.#whole = this.#make() || !given;
  }

  /** False while it is given up. */
  get whole(): boolean {
    return this.#whole;
  }

  /** Gives the room to whoever writes next; false when it is gone already, or never was. */
  giveUp(): boolean {
    if (!this.#whole || !existsSync(this.#path)) return false;
    truncateSync(this.#path, 0);
    this.#whole = false;
    return true;
  }

  /** Makes it again when there is room. */
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
        // Noise, as a file system may keep zeros for nothing.
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
