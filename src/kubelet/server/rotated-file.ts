/** A log that is read while the runtime writes and rotates it: to its end, and on in the file that has taken its place. */
import { type FileHandle, lstat } from 'node:fs/promises';
import { openLog } from '../runtime/container-log.ts';
import { offsetOfTail } from './log-file.ts';

const block = 65_536;

export class RotatedFile implements AsyncDisposable {
  readonly #path: string;
  readonly #buffer: Buffer = Buffer.allocUnsafe(block);
  #handle: FileHandle;
  #position: number;
  #next: FileHandle | undefined;

  private constructor(path: string, handle: FileHandle, position: number) {
    this.#path = path;
    this.#handle = handle;
    this.#position = position;
  }

  /** At the last `tailLines` lines, or at the begin. */
  static async open(path: string, tailLines: number | undefined): Promise<RotatedFile> {
    const handle = await openLog(path);
    return new RotatedFile(path, handle, tailLines === undefined ? 0 : await offsetOfTail(handle, tailLines));
  }

  get path(): string {
    return this.#path;
  }

  /** What comes next, until the next call; empty at the end. */
  async read(): Promise<Buffer> {
    const { bytesRead } = await this.#handle.read(this.#buffer, 0, block, this.#position);
    this.#position += bytesRead;
    return this.#buffer.subarray(0, bytesRead);
  }

  /** At the end: whether it is worth to read again, because another file has taken this one's place, or because it was cut. */
  async goOn(): Promise<boolean> {
    if (this.#next) {
      await this.#handle.close();
      this.#handle = this.#next;
      this.#next = undefined;
      this.#position = 0;
      return true;
    }
    // The runtime wrote into the old file until it opened the new one: that is read to its end once more before.
    this.#next = await this.#successor();
    return this.#next !== undefined;
  }

  /** The file that stands there now, once there is something in it. */
  async #successor(): Promise<FileHandle | undefined> {
    const [now, mine] = await Promise.all([lstat(this.#path).catch(() => undefined), this.#handle.stat()]);
    if (!now || (now.ino === mine.ino ? now.size >= this.#position : now.size === 0)) return undefined;
    return openLog(this.#path).catch(() => undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
    await this.#next?.close();
  }
}
