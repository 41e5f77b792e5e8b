/** How long a reflector waits after trouble, and whether the trouble is worth a person's attention: client-go's back-off manager. */
import { BackOff } from '../clock/back-off.ts';
import { isKnownError, messageOf } from '../errors/known-error.ts';
import { ApiError } from './api-error.ts';

/** 50 to 150 ms at first, 15 to 45 s at last. */
const delays = { durationMs: 50, capMs: 15_000, jitter: 2 };
/** An attempt that nobody answers burdens nobody, and a server that is back is waited for by everybody. */
const absenceCapMs = 1_500;
/** Most trouble is over before a person has read of it; an API server that has just been started even refuses what it allows. */
const worthSayingMs = 1_500;
/** A watch that ends sooner has not worked. */
export const shortWatchMs = 1_000;

export interface Trouble {
  readonly why: string;
  readonly delayMs: number;
  /** It lasts, and was not said before. */
  readonly isNews: boolean;
}

export class WatchBackOff {
  readonly #backOff: BackOff;
  #isAway = false;
  #said = '';

  constructor(random: () => number) {
    this.#backOff = new BackOff({ ...delays, random });
  }

  /** An event came. */
  worked(): void {
    this.#backOff.reset();
    this.#said = '';
  }

  /** `watchedMs`: how long the watch lasted; 0 when none was opened. */
  failed(err: unknown, watchedMs: number): Trouble {
    const isRefusal = err instanceof ApiError;
    // A watch that worked for a while and broke off, without events perhaps, is no sign of trouble that lasts; a late refusal is.
    if (!isRefusal && watchedMs >= shortWatchMs) this.#backOff.reset();
    // What a server says that could not be reached before is about now, most often that it was started anew and knows no past.
    if (isRefusal && this.#isAway) this.#backOff.reset();
    this.#isAway = isKnownError(err, 'API_UNREACHABLE');
    const why = messageOf(err);
    const isNews = this.#backOff.durationMs >= worthSayingMs && why !== this.#said;
    if (isNews) this.#said = why;
    return { why, isNews, delayMs: this.#backOff.step(this.#isAway ? absenceCapMs : delays.capMs) };
  }
}
