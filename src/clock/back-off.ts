/** How long to wait after a failure: client-go's wait.Backoff. */
export interface BackOffOptions {
  /** The first delay. */
  readonly durationMs: number;
  /** How much longer each delay is than the one before. Default 2. */
  readonly factor?: number;
  /** No delay is longer, but for the jitter. */
  readonly capMs: number;
  /** A delay is up to so many times itself longer, that many clients may not come at once. Default 0. */
  readonly jitter?: number;
  /** From 0 up to 1. */
  readonly random?: () => number;
}

/** The delay after so many failures in a row, the first of which is 1; without jitter. */
export function backOffMs({ durationMs, factor = 2, capMs }: BackOffOptions, failures: number): number {
  return Math.min(durationMs * factor ** (failures - 1), capMs);
}

/** The delays of one thing that is tried again and again. */
export class BackOff {
  readonly #options: BackOffOptions;
  #durationMs: number;

  constructor(options: BackOffOptions) {
    this.#options = options;
    this.#durationMs = options.durationMs;
  }

  /** What step() gives next, without jitter. */
  get durationMs(): number {
    return this.#durationMs;
  }

  /** The delay to wait now; the next one is longer, but not longer than `capMs`. */
  step(capMs: number = this.#options.capMs): number {
    const { factor = 2, jitter = 0, random = Math.random } = this.#options;
    const delay = this.#durationMs * (1 + jitter * random());
    this.#durationMs = Math.min(this.#durationMs * factor, capMs);
    return delay;
  }

  /** It went well: the next failure waits for the first delay again. */
  reset(): void {
    this.#durationMs = this.#options.durationMs;
  }
}
