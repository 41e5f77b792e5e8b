/**
 * Ends answers that nobody reads. A watcher or the reader of a list who stops reading would otherwise hold its buffers, and the
 * objects that it is still to be sent, for as long as it keeps the connection: hours, times as many connections as it opens.
 */
import type { ServerResponse } from 'node:http';
import type { Clock } from '../../clock/clock.ts';

const sweepMs = 10_000;
/** A buffer (some 100 kB) that does not empty for so long has no reader, or one slower than any link. */
const patienceMs = 60_000;
/** What answers that have waited for a sweep may hold together: a thousand of a megabyte would fill the memory within their minute. */
const maxStalledBytes = 256 << 20;

export class StalledAnswers {
  readonly #clock: Clock;
  readonly #maxBytes: number;
  /** When an answer was first seen waiting since its buffer was last empty. */
  readonly #open = new Map<ServerResponse, number | undefined>();
  #timer: { cancel(): void } | undefined;

  constructor(clock: Clock, maxBytes: number = maxStalledBytes) {
    this.#clock = clock;
    this.#maxBytes = maxBytes;
    this.#next();
  }

  add(res: ServerResponse): void {
    this.#open.set(res, undefined);
    res.once('close', () => this.#open.delete(res));
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #next(): void {
    this.#timer = this.#clock.after(sweepMs, () => {
      this.#sweep(this.#clock.monotonic());
      this.#next();
    });
  }

  #sweep(now: number): void {
    const stalled: ServerResponse[] = [];
    for (const [res, since] of this.#open) {
      if (!res.writableNeedDrain) continue;
      if (since === undefined) this.#notice(res, now);
      else if (now - since >= patienceMs) res.destroy();
      else stalled.push(res);
    }
    this.#relieve(stalled);
  }

  /** Most answers never wait: only who does is listened to. */
  #notice(res: ServerResponse, now: number): void {
    this.#open.set(res, now);
    res.once('drain', () => this.#open.has(res) && this.#open.set(res, undefined));
  }

  /** Ends those that hold most, until the rest is little enough. */
  #relieve(stalled: readonly ServerResponse[]): void {
    let bytes = stalled.reduce((sum, res) => sum + res.writableLength, 0);
    if (bytes <= this.#maxBytes) return;
    for (const res of stalled.toSorted((a, b) => b.writableLength - a.writableLength)) {
      if (bytes <= this.#maxBytes) return;
      bytes -= res.writableLength;
      res.destroy();
    }
  }
}
