/** Takes away what proxies before this one left, in each family once its own rules are in place: until then theirs serve. */
import { messageOf } from '../errors/known-error.ts';
import type { TableFamily } from '../linux/nftables/table.ts';
import type { Log } from '../observability/log.ts';

export class TakeOver {
  /** Gives whether nothing is left. */
  readonly #clean: (families: readonly TableFamily[]) => Promise<boolean>;
  readonly #log: Log;
  /** Where nothing is left. */
  readonly #done = new Set<TableFamily>();
  /** Where it was tried since the last `again`. */
  readonly #tried = new Set<TableFamily>();
  #running: Promise<void> | undefined;
  #isClosed = false;

  constructor(clean: (families: readonly TableFamily[]) => Promise<boolean>, log: Log) {
    this.#clean = clean;
    this.#log = log;
  }

  /** What was left the last time is tried again after the next sync. */
  again(): void {
    this.#tried.clear();
  }

  /** Ours are in place in these families. Cleaning starts programs, so no change waits for it. */
  synced(families: readonly TableFamily[]): void {
    if (this.#isClosed || this.#running) return;
    const due = families.filter((family) => !this.#done.has(family) && !this.#tried.has(family));
    if (due.length === 0) return;
    for (const family of due) this.#tried.add(family);
    this.#running = this.#run(due).finally(() => {
      this.#running = undefined;
    });
  }

  async #run(families: readonly TableFamily[]): Promise<void> {
    try {
      if (await this.#clean(families)) for (const family of families) this.#done.add(family);
    } catch (err) {
      this.#log.warn(`Cannot take away what another proxy left, will try again: ${messageOf(err)}`);
    }
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#running;
  }
}
