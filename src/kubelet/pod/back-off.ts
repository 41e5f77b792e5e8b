/** client-go's flowcontrol.Backoff: delays by key, counted from the event that they hold off (a container's end, a failed pull). */
interface BackOffEntry {
  readonly delayMs: number;
  readonly lastUpdate: number;
}

export class KeyedBackOff {
  readonly #initialMs: number;
  readonly #maxMs: number;
  readonly #entries = new Map<string, BackOffEntry>();

  constructor(initialMs: number, maxMs: number) {
    this.#initialMs = initialMs;
    this.#maxMs = maxMs;
  }

  /** How long to wait still, in ms; 0 when it is time. `eventAt` is when the thing that is held off failed. */
  remaining(key: string, eventAt: number, now: number): number {
    const entry = this.#entries.get(key);
    if (!entry || this.#expired(entry, eventAt)) return 0;
    return Math.max(0, eventAt + entry.delayMs - now);
  }

  /** The present delay in ms, 0 when nothing failed yet. */
  delay(key: string): number {
    return this.#entries.get(key)?.delayMs ?? 0;
  }

  /** Another try is made: the next failure waits longer. */
  next(key: string, eventAt: number, now: number): void {
    const entry = this.#entries.get(key);
    const delayMs = !entry || this.#expired(entry, eventAt) ? this.#initialMs : Math.min(entry.delayMs * 2, this.#maxMs);
    this.#entries.set(key, { delayMs, lastUpdate: now });
  }

  forget(prefix: string): void {
    for (const key of this.#entries.keys()) if (key.startsWith(prefix)) this.#entries.delete(key);
  }

  /** What went well for long enough starts afresh. */
  #expired(entry: BackOffEntry, eventAt: number): boolean {
    return eventAt - entry.lastUpdate > this.#maxMs * 2;
  }
}
