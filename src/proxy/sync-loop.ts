/**
 * Decides when to sync: soon after a change, never twice at once, again after a failure with growing pauses, and now and
 * then to see whether somebody else touched the rules.
 */
import { BackOff } from '../clock/back-off.ts';
import type { Clock } from '../clock/clock.ts';
import { isKnownError, messageOf } from '../errors/known-error.ts';
import type { Log } from '../observability/log.ts';

interface SyncLoopOptions {
  /** Does one sync of everything that changed. */
  readonly sync: () => Promise<void>;
  /**
   * Looks whether the kernel still holds what was applied. Called every `syncPeriodMs` and after `suspect`, before a sync. False when it was cut short,
   * since a change waits: it is called again after that one's sync.
   */
  readonly verify: (isWaiting: () => boolean) => Promise<boolean>;
  /** Changes that come within this time are applied together. */
  readonly minSyncPeriodMs: number;
  readonly syncPeriodMs: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly onFailure?: (err: unknown) => void;
}

const firstRetryMs = 500;
/** Who fights over the rules must not take all of the machine: looks are at least this far apart, */
const minVerifyGapMs = 1000;
/** and take at most a tenth of the time. */
const verifyShare = 10;

export class SyncLoop {
  readonly #options: SyncLoopOptions;
  #timer: { cancel(): void } | undefined;
  #retry: { cancel(): void } | undefined;
  #period: { cancel(): void } | undefined;
  #running: Promise<void> | undefined;
  #again = false;
  /** Whether something changed since the last sync began. */
  #changed = false;
  #stopped = false;
  #verifyDue = false;
  #verifySoon: { cancel(): void } | undefined;
  #nextVerify = Number.NEGATIVE_INFINITY;
  #lastStart = Number.NEGATIVE_INFINITY;
  readonly #backOff: BackOff;

  constructor(options: SyncLoopOptions) {
    this.#options = options;
    this.#backOff = new BackOff({ durationMs: firstRetryMs, capMs: options.syncPeriodMs });
  }

  /** Something changed. */
  request(): void {
    this.#changed = true;
    this.#runSoon();
  }

  #runSoon(): void {
    if (this.#stopped) return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    const { clock, minSyncPeriodMs } = this.#options;
    this.#timer ??= clock.after(Math.max(0, this.#lastStart + minSyncPeriodMs - clock.monotonic()), () => this.#start());
  }

  #start(): void {
    this.#timer = undefined;
    this.#retry?.cancel();
    if (this.#stopped || this.#running) return;
    this.#lastStart = this.#options.clock.monotonic();
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      if (this.#again) {
        this.#again = false;
        this.#runSoon();
      }
    });
  }

  async #run(): Promise<void> {
    const { sync, verify, clock, log, onFailure } = this.#options;
    try {
      if (this.#verifyDue) {
        const begun = clock.monotonic();
        const isDone = await verify(() => this.#changed);
        this.#nextVerify = clock.monotonic() + Math.max(minVerifyGapMs, verifyShare * (clock.monotonic() - begun));
        this.#verifyDue = !isDone;
        this.#again ||= !isDone;
      }
      this.#changed = false;
      await sync();
      if (this.#backOff.durationMs > firstRetryMs) log.info('The rules are applied again');
      this.#backOff.reset();
    } catch (err) {
      onFailure?.(err);
      const more = isKnownError(err) ? { code: err.code, hint: err.hint } : {};
      const delayMs = this.#backOff.step();
      log.error(`Cannot apply the rules, will try again in ${delayMs / 1000} s: ${messageOf(err)}`, more);
      // Not the timer of changes: one that comes meanwhile may be what makes the kernel agree, and is tried at once.
      if (!this.#stopped) this.#retry = clock.after(delayMs, () => this.#start());
    }
  }

  /** Begins to verify now and then. */
  watch(): void {
    const { clock, syncPeriodMs } = this.#options;
    if (this.#stopped) return;
    this.#period = clock.after(syncPeriodMs, () => {
      this.#verifyDue = true;
      this.#runSoon();
      this.watch();
    });
  }

  /** Somebody touched the rules: verifies at once, or as soon as the last time is long enough ago. */
  suspect(): void {
    const { clock } = this.#options;
    if (this.#stopped) return;
    this.#verifySoon ??= clock.after(Math.max(0, this.#nextVerify - clock.monotonic()), () => {
      this.#verifySoon = undefined;
      this.#verifyDue = true;
      this.#runSoon();
    });
  }

  /** Stops and waits for a sync that is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#retry?.cancel();
    this.#period?.cancel();
    this.#verifySoon?.cancel();
    await this.#running;
  }
}
