/** Streams a container's log as `kubectl logs` wants it: the tail, from a time on, following. */
import { watch } from 'node:fs';
import { dirname } from 'node:path';
import { onAbort } from '../../clock/aborted.ts';
import { LogFormat, type LogFormatOptions } from './log-format.ts';
import type { RotatedFile } from './rotated-file.ts';

export interface LogOptions extends LogFormatOptions {
  readonly follow: boolean;
  readonly limitBytes: number | undefined;
}

export interface LogSource {
  readonly file: RotatedFile;
  /** Whether more may come. */
  readonly isRunning: () => boolean;
}

/** A change notice may be lost; and the end of a container gives none. */
const lookMs = 500;

/** Writes through `write`, which resolves when there is room for more. Ends when the log does, the limit is reached, or the signal aborts. */
export async function streamLog(
  { file, isRunning }: LogSource,
  options: LogOptions,
  write: (bytes: Buffer) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { follow, limitBytes } = options;
  const format = new LogFormat(options);
  const notice = new Notice();
  using _ = follow ? watchOf(file.path, notice) : undefined;
  let left = limitBytes ?? Number.POSITIVE_INFINITY;
  while (!signal.aborted && left > 0) {
    // Asked before reading: what was written before the end is read after it.
    const more = follow && isRunning();
    const bytes = await file.read();
    const text = format.format(bytes).subarray(0, left);
    left -= text.length;
    if (text.length > 0) await write(text);
    if (bytes.length > 0 || (follow && (await file.goOn()))) continue;
    if (!more) return;
    await notice.wait(lookMs, signal);
  }
}

/** The kernel may have no watch left to give (fs.inotify.max_user_watches): the log is then looked at now and then. */
function watchOf(path: string, notice: Notice): Disposable | undefined {
  try {
    const watcher = watch(dirname(path), () => notice.give()).on('error', () => {});
    return { [Symbol.dispose]: () => watcher.close() };
  } catch {
    return undefined;
  }
}

/** Tells one reader that there may be more. */
class Notice {
  #given = Promise.withResolvers<void>();

  give(): void {
    this.#given.resolve();
  }

  /** Resolves when it was given since the last time, after `ms`, or when the signal aborts. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    const timer = setTimeout(() => this.give(), ms);
    using _ = onAbort(signal, () => this.give());
    await this.#given.promise;
    clearTimeout(timer);
    this.#given = Promise.withResolvers();
  }
}
