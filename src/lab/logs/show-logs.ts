import { open } from 'node:fs/promises';
import type { Clock } from '../../clock/clock.ts';
import { systemCode } from '../../errors/known-error.ts';
import { type LogSource, partFilter, timeOf } from './sources.ts';

export interface ShowOptions {
  readonly clock: Clock;
  readonly write: (text: string) => void;
  /** At most this many of the last lines; all when absent. */
  readonly tail: number | undefined;
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

const pollMs = 200;
const chunkBytes = 1 << 20;

/** Gives the whole lines that were added to a file since the last time; begins anew when it was cut. */
class Tail {
  readonly source: LogSource;
  readonly #keep: (line: string) => boolean;
  #offset = 0;
  #rest = Buffer.alloc(0);

  constructor(source: LogSource) {
    this.source = source;
    this.#keep = partFilter(source.part);
  }

  async next(): Promise<string[]> {
    let handle: Awaited<ReturnType<typeof open>>;
    try {
      handle = await open(this.source.file, 'r');
    } catch (err) {
      // A service that has not said anything yet.
      if (systemCode(err) === 'ENOENT') return [];
      throw err;
    }
    await using file = handle;
    const { size } = await file.stat();
    if (size < this.#offset) [this.#offset, this.#rest] = [0, Buffer.alloc(0)];
    const lines: string[] = [];
    while (this.#offset < size) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(Math.min(chunkBytes, size - this.#offset)), 0, undefined, this.#offset);
      if (bytesRead === 0) break;
      this.#offset += bytesRead;
      const bytes = Buffer.concat([this.#rest, buffer.subarray(0, bytesRead)]);
      const end = bytes.lastIndexOf(10) + 1;
      this.#rest = bytes.subarray(end);
      if (end > 0) lines.push(...bytes.toString('utf8', 0, end - 1).split('\n'));
    }
    return lines.filter(this.#keep);
  }
}

/** The lines of all sources in the order in which they were written. */
async function readAll(tails: readonly Tail[]): Promise<string[]> {
  const width = Math.max(...tails.map(({ source }) => source.label.length));
  const read = await Promise.all(
    tails.map(async (tail) => {
      let time = '';
      const label = tails.length > 1 ? `${tail.source.label.padEnd(width)} | ` : '';
      return (await tail.next()).map((line) => {
        time = timeOf(line) ?? time;
        return { time, text: label + line };
      });
    }),
  );
  const entries = read.flat();
  return (tails.length > 1 ? entries.toSorted((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0)) : entries).map(
    ({ text }) => text,
  );
}

/** Writes what there is, and with `follow` what comes, until the signal. */
export async function showLogs(sources: readonly LogSource[], options: ShowOptions): Promise<void> {
  const { clock, write, tail, follow, signal } = options;
  const tails = sources.map((source) => new Tail(source));
  const print = (lines: readonly string[]): void => {
    if (lines.length > 0) write(`${lines.join('\n')}\n`);
  };
  const before = await readAll(tails);
  print(tail === undefined ? before : tail === 0 ? [] : before.slice(-tail));
  while (follow && !signal.aborted) {
    await clock.sleep(pollMs, signal).catch(() => {});
    print(await readAll(tails));
  }
}
