/**
 * An append-only file of JSON lines that survives a crash at any point. A line counts once it is whole and flushed; what
 * follows the last line break is the rest of a write that never finished, and is cut off.
 */
import { constants } from 'node:fs';
import { type FileHandle, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCode } from '../../errors/known-error.ts';
import { makeFolder, syncFolder } from '../../linux/put-file.ts';

const fresh = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_TRUNC;

interface Pending {
  readonly line: string;
  resolve(): void;
  reject(err: unknown): void;
}

/** A file beyond this is replaced by a short one, and not before it has doubled since. */
const defaultCompactAt = 256 * 1024;

export class Journal {
  readonly #path: string;
  readonly #snapshot: () => readonly unknown[];
  #file: FileHandle;
  /** Bytes that are known to be on the disk. */
  #size: number;
  #compactAt: number;
  #pending: Pending[] = [];
  #writing: Promise<void> | undefined;

  private constructor(path: string, file: FileHandle, size: number, snapshot: () => readonly unknown[]) {
    this.#path = path;
    this.#file = file;
    this.#size = size;
    this.#snapshot = snapshot;
    this.#compactAt = Math.max(defaultCompactAt, 2 * size);
  }

  /**
   * Gives each line that is there to `replay`, and those that are no JSON or that it does not take to `onBad`; then replaces the
   * file by `snapshot()`: lines that say the same in short. It is asked again whenever the file has grown long.
   */
  static async open(
    path: string,
    options: { replay(line: unknown): boolean; onBad(line: string): void; snapshot(): readonly unknown[] },
  ): Promise<Journal> {
    makeFolder(dirname(path), 0o700);
    const text = await readFile(path, 'utf8').catch((err) => {
      if (systemCode(err) === 'ENOENT') return '';
      throw err;
    });
    for (const line of text.slice(0, text.lastIndexOf('\n') + 1).split('\n')) {
      if (line === '') continue;
      if (!taken(line, options.replay)) options.onBad(line);
    }
    const { file, size } = await Journal.#replace(path, options.snapshot());
    syncFolder(dirname(path));
    return new Journal(path, file, size, options.snapshot);
  }

  /** Resolves when the line is on the disk. Lines that come while one is written share the next flush. */
  append(value: unknown): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#pending.push({ line: `${JSON.stringify(value)}\n`, resolve, reject });
    this.#writing ??= this.#drain();
    return promise;
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#file.close();
  }

  async #drain(): Promise<void> {
    while (this.#pending.length > 0) {
      const batch = this.#pending;
      this.#pending = [];
      try {
        if (this.#size > this.#compactAt) await this.#compact();
        const bytes = Buffer.from(batch.map((p) => p.line).join(''));
        await this.#file.appendFile(bytes);
        await this.#file.datasync();
        this.#size += bytes.length;
        for (const p of batch) p.resolve();
      } catch (err) {
        // A full disk may have taken half of it: what nobody was promised must not be found later.
        await this.#file.truncate(this.#size).catch(() => {});
        for (const p of batch) p.reject(err);
      }
    }
    this.#writing = undefined;
  }

  /** A long file does no harm, so without room for a second one it goes on growing. */
  async #compact(): Promise<void> {
    this.#compactAt = Math.max(defaultCompactAt, 2 * this.#size);
    const replaced = await Journal.#replace(this.#path, this.#snapshot()).catch(() => undefined);
    if (!replaced) return;
    await this.#file.close();
    this.#file = replaced.file;
    this.#size = replaced.size;
    this.#compactAt = Math.max(defaultCompactAt, 2 * replaced.size);
    syncFolder(dirname(this.#path));
  }

  /** Written beside, flushed, and moved into place: at every moment there is one whole file. */
  static async #replace(path: string, values: readonly unknown[]): Promise<{ readonly file: FileHandle; readonly size: number }> {
    const content = values.map((v) => `${JSON.stringify(v)}\n`).join('');
    const beside = `${path}.new`;
    // The handle stays in use: opening the file once more could fail when it is in place already.
    const file = await open(beside, fresh, 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
      await rename(beside, path);
    } catch (err) {
      await file.close();
      throw err;
    }
    return { file, size: Buffer.byteLength(content) };
  }
}

function taken(line: string, replay: (value: unknown) => boolean): boolean {
  try {
    return replay(JSON.parse(line));
  } catch {
    return false;
  }
}
