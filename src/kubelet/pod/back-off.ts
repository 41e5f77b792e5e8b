/** client-go's flowcontrol.Backoff: delays by key, counted from the event that they hold off (a container's end, a failed pull). */
interface BackOffEntry {
  readonly delayMs: number;
  readonly lastUpdate: number;
}

/** As upstream's kubelet waits for images and for containers that crash. */
const initialMs = 10_000;
const maxMs = 300_000;

export class KeyedBackOff {
  readonly #entries = new Map<string, BackOffEntry>();

  /** How long to wait still, in ms; 0 when it is time. `eventAt` is when the thing that is held off failed. */
  remaining(key: string, eventAt: number, now: number): number {
    const entry = this.#entries.get(key);
    if (!entry || isExpired(entry, eventAt)) return 0;
    return Math.max(0, eventAt + entry.delayMs - now);
  }

  /** The present delay in ms, 0 when nothing failed yet. */
  delay(key: string): number {
    return this.#entries.get(key)?.delayMs ?? 0;
  }

  /** Another try is made: the next failure waits longer. */
  next(key: string, eventAt: number, now: number): void {
    const entry = this.#entries.get(key);
    const delayMs = !entry || isExpired(entry, eventAt) ? initialMs : Math.min(entry.delayMs * 2, maxMs);
    this.#entries.set(key, { delayMs, lastUpdate: now });
  }

  forget(prefix: string): void {
    for (const key of this.#entries.keys()) if (key.startsWith(prefix)) this.#entries.delete(key);
  }
}

/** What went well for long enough starts afresh. */
function isExpired(entry: BackOffEntry, eventAt: number): boolean {
  return eventAt - entry.lastUpdate > maxMs * 2;
}
