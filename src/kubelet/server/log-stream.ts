/** Streams a container's log as `kubectl logs` wants it: the tail, from a time on, following. */
import { type FSWatcher, watch } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { onAbort } from '../../clock/aborted.ts';
import { offsetOfTail, parseLogLine } from './log-file.ts';

export interface LogOptions {
  readonly follow: boolean;
  readonly timestamps: boolean;
  readonly tailLines: number | undefined;
  /** Only lines from this time on, ms since the epoch. */
  readonly since: number | undefined;
  readonly limitBytes: number | undefined;
  /** Only this stream: stdout or stderr. */
  readonly stream: string | undefined;
}

export interface LogFileSource {
  readonly path: string;
  /** Whether more may come. */
  readonly isRunning: () => boolean;
}

const block = 65_536;
const newline = 0x0a;
/** A change notice may be lost; and the end of a container gives none. */
const lookMs = 500;

/** Writes through `write`, which resolves when there is room for more. Ends when the log does, the limit is reached, or the signal aborts. */
export async function streamLog(
  source: LogFileSource,
  options: LogOptions,
  write: (bytes: Buffer) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  let position = options.tailLines === undefined ? 0 : await offsetOfTail(source.path, options.tailLines);
  let left = options.limitBytes ?? Number.POSITIVE_INFINITY;
  let rest: Buffer = Buffer.alloc(0);
  let continued = false;
  const buffer = Buffer.allocUnsafe(block);
  const notice = new Notice();
  let watcher: FSWatcher | undefined;
  let handle = await open(source.path);
  let next: FileHandle | undefined;
  try {
    if (options.follow) watcher = watchOf(source.path, notice);
    while (!signal.aborted && left > 0) {
      // Asked before reading: what was written before the end is read after it.
      const more = options.follow && source.isRunning();
      const { bytesRead } = await handle.read(buffer, 0, block, position);
      if (bytesRead === 0) {
        if (next) {
          await handle.close();
          handle = next;
          next = undefined;
          position = 0;
          continue;
        }
        next = options.follow ? await successor(source.path, handle, position) : undefined;
        // The runtime wrote into the old file until it opened the new one: that is read to its end first.
        if (next) continue;
        if (!more) return;
        await notice.wait(lookMs, signal);
        continue;
      }
      position += bytesRead;
      const bytes = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
      const out: Buffer[] = [];
      let at = 0;
      for (let end = bytes.indexOf(newline, at); end >= 0; end = bytes.indexOf(newline, at)) {
        const line = parseLogLine(bytes.subarray(at, end));
        at = end + 1;
        if (!line || (options.stream !== undefined && line.stream !== options.stream.toLowerCase())) continue;
        if (options.since !== undefined && Date.parse(line.time) < options.since) continue;
        if (options.timestamps && !continued) out.push(Buffer.from(`${line.time} `));
        out.push(line.text);
        if (!line.partial) out.push(Buffer.from('\n'));
        continued = line.partial;
      }
      rest = Buffer.from(bytes.subarray(at));
      const text = Buffer.concat(out).subarray(0, left);
      left -= text.length;
      if (text.length > 0) await write(text);
    }
  } finally {
    watcher?.close();
    await handle.close();
    await next?.close();
  }
}

/** The kernel may have no watch left to give (fs.inotify.max_user_watches): the log is then looked at now and then. */
function watchOf(path: string, notice: Notice): FSWatcher | undefined {
  try {
    return watch(dirname(path), () => notice.give()).on('error', () => {});
  } catch {
    return undefined;
  }
}

/** The file that has taken this one's place after a rotation, once there is something in it, or the same one after it was cut. */
async function successor(path: string, handle: FileHandle, position: number): Promise<FileHandle | undefined> {
  const [now, mine] = await Promise.all([stat(path).catch(() => undefined), handle.stat()]);
  if (!now || (now.ino === mine.ino ? now.size >= position : now.size === 0)) return undefined;
  return open(path).catch(() => undefined);
}

class Notice {
  #given = false;
  #wake: (() => void) | undefined;

  give(): void {
    this.#given = true;
    this.#wake?.();
  }

  wait(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const finish = (): void => {
        clearTimeout(timer);
        ended[Symbol.dispose]();
        this.#wake = undefined;
        this.#given = false;
        resolve();
      };
      const timer = setTimeout(finish, ms);
      const ended = onAbort(signal, () => this.give());
      this.#wake = finish;
      if (this.#given) finish();
    });
  }
}
