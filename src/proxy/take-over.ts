/** Takes away what proxies before this one left, once its own rules are in place: until then theirs serve. */
import { messageOf } from '../errors/known-error.ts';
import type { Log } from '../observability/log.ts';

export class TakeOver {
  /** Gives whether nothing is left. */
  readonly #clean: () => Promise<boolean>;
  readonly #log: Log;
  #isDue = true;
  #isDone = false;
  #running: Promise<void> | undefined;

  constructor(clean: () => Promise<boolean>, log: Log) {
    this.#clean = clean;
    this.#log = log;
  }

  /** What was left the last time is tried again after the next sync. */
  again(): void {
    this.#isDue ||= !this.#isDone;
  }

  /** Ours are in place. Cleaning starts programs, so no change waits for it. */
  synced(): void {
    if (!this.#isDue || this.#running) return;
    this.#isDue = false;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  async #run(): Promise<void> {
    try {
      this.#isDone = await this.#clean();
    } catch (err) {
      this.#isDone = false;
      this.#log.warn(`Cannot take away what another proxy left, will try again: ${messageOf(err)}`);
    }
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    this.#isDue = false;
    await this.#running;
  }
}
