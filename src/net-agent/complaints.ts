/** What a person should know about while it is so. */
import type { Log } from '../observability/log.ts';

/** What is wrong at the moment, said once when it begins, and once more when it is over. */
export class Complaints {
  readonly #log: Pick<Log, 'warn'>;
  #current: ReadonlyMap<string, string> = new Map();

  constructor(log: Pick<Log, 'warn'>) {
    this.#log = log;
  }

  /** All that is wrong now: by what it is about, a sentence. */
  are(now: ReadonlyMap<string, string>): void {
    const before = this.#current;
    this.#current = new Map(now);
    for (const [about, what] of now) if (before.get(about) !== what) this.#log.warn(what);
    for (const [about, what] of before) if (!now.has(about)) this.#log.warn(`Over: ${what}`);
  }
}
