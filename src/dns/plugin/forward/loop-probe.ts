/**
 * Whether a resolver sends questions back to this server. Found out as CoreDNS's plugin loop does: it is asked for a name that nobody else
 * asks for. CoreDNS ends then; here the resolver is left out, and probed again.
 */
import { randomInt } from 'node:crypto';
import type { Clock } from '../../../clock/clock.ts';
import { encodeQuery } from '../../message/query.ts';

const probeAgainMs = 30_000;
/** A little longer than until the next probe, so that it does not lapse while that is under way. */
const loopsMs = probeAgainMs + 5_000;

export class LoopProbe {
  /** The name that only this server asks, and only this resolver. */
  readonly name: string = `${randomInt(2 ** 47)}.${randomInt(2 ** 47)}`;
  readonly #clock: Clock;
  readonly #ask: (message: Buffer) => Promise<unknown>;
  #probedAt = Number.NEGATIVE_INFINITY;
  /** 0: it did not lead back when it was last asked. */
  #loopsUntil = 0;

  constructor(clock: Clock, ask: (message: Buffer) => Promise<unknown>) {
    this.#clock = clock;
    this.#ask = ask;
  }

  get loops(): boolean {
    return this.#loopsUntil > this.#clock.monotonic();
  }

  /** Asks on first use, and again while there is trouble: that is how a loop of later days looks. */
  probe(isInTrouble: boolean): void {
    const now = this.#clock.monotonic();
    const isDue = this.#probedAt === Number.NEGATIVE_INFINITY || isInTrouble || this.#loopsUntil > 0;
    if (!isDue || now - this.#probedAt < probeAgainMs) return;
    this.#probedAt = now;
    const answered = (): void => {
      if (!this.loops) this.#loopsUntil = 0;
    };
    void this.#ask(encodeQuery(this.name, 'HINFO')).then(answered, () => {});
  }

  /** The question came here. Gives whether that is news. */
  cameBack(): boolean {
    const isNews = this.#loopsUntil === 0;
    this.#loopsUntil = this.#clock.monotonic() + loopsMs;
    return isNews;
  }
}
