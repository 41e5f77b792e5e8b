/**
 * Ends answers that nobody reads. A watcher or the reader of a list who stops reading would otherwise hold its buffers, and the
 * objects that it is still to be sent, for as long as it keeps the connection: hours, times as many connections as it opens.
 */
import type { ServerResponse } from 'node:http';
import type { Clock } from '../../clock/clock.ts';

const sweepMs = 10_000;
/** A buffer (some 100 kB) that does not empty for so long has no reader, or one slower than any link. */
const patienceMs = 60_000;

export class StalledAnswers {
  readonly #clock: Clock;
  /** When an answer was first seen waiting since its buffer was last empty. */
  readonly #open = new Map<ServerResponse, number | undefined>();
  #timer: { cancel(): void } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#next();
  }

  add(res: ServerResponse): void {
    this.#open.set(res, undefined);
    res.on('drain', () => this.#open.has(res) && this.#open.set(res, undefined));
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
    for (const [res, since] of this.#open) {
      if (!res.writableNeedDrain) continue;
      if (since === undefined) this.#open.set(res, now);
      else if (now - since >= patienceMs) res.destroy();
    }
  }
}
