/** client-go's flowcontrol.Backoff: delays by key, each twice as long as the one before. */
interface BackOffEntry {
  readonly delayMs: number;
  readonly lastUpdate: number;
}

export class KeyedBackOff {
  readonly #initialMs: number;
  readonly #maxMs: number;
  readonly #entries = new Map<string, BackOffEntry>();

  /** The defaults are those of upstream's kubelet, for images and for containers that crash. */
  constructor(initialMs: number = 10_000, maxMs: number = 300_000) {
    this.#initialMs = initialMs;
    this.#maxMs = maxMs;
  }

  /** How long to wait still, in ms; 0 when it is time. `eventAt` is when the thing that is held off failed (IsInBackOffSince). */
  remaining(key: string, eventAt: number, now: number): number {
    const entry = this.#entries.get(key);
    if (!entry || this.#isExpired(entry, eventAt)) return 0;
    return Math.max(0, eventAt + entry.delayMs - now);
  }

  /** The same, counted from the last try (IsInBackOffSinceUpdate). */
  remainingSinceUpdate(key: string, now: number): number {
    const entry = this.#entries.get(key);
    if (!entry || this.#isExpired(entry, now)) return 0;
    return Math.max(0, entry.lastUpdate + entry.delayMs - now);
  }

  /** The present delay in ms, 0 when nothing failed yet. */
  delay(key: string): number {
    return this.#entries.get(key)?.delayMs ?? 0;
  }

  /** Another try is made: the next failure waits longer. */
  next(key: string, eventAt: number, now: number): void {
    const entry = this.#entries.get(key);
    const delayMs = !entry || this.#isExpired(entry, eventAt) ? this.#initialMs : Math.min(entry.delayMs * 2, this.#maxMs);
    this.#entries.set(key, { delayMs, lastUpdate: now });
  }

  forget(prefix: string): void {
    for (const key of this.#entries.keys()) if (key.startsWith(prefix)) this.#entries.delete(key);
  }

  /** What went well for long enough starts afresh. */
  #isExpired(entry: BackOffEntry, eventAt: number): boolean {
    return eventAt - entry.lastUpdate > this.#maxMs * 2;
  }
}
