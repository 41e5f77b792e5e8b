/** Keeps a session with Redis: when one breaks, the next one is begun, again and again until the store is closed. */
import { setTimeout as sleep } from 'node:timers/promises';
import { KnownError, messageOf } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import type { RedisSettings } from './address.ts';
import { failed } from './redis-error.ts';
import { type Address, findPrimary, SentinelWatch, shown } from './sentinels.ts';
import { Session } from './session.ts';

const longestPauseMs = 1_000;

export interface LinkOptions {
  readonly settings: RedisSettings;
  readonly log: Log;
  /** Whether the Redis may be used, and the store's first words with it; throws when not. */
  greet(session: Session): Promise<void>;
}

export class Link {
  readonly #options: LinkOptions;
  readonly #stop = new AbortController();
  readonly #sentinels: SentinelWatch | undefined;
  /** Where the session is, or will be, and what ends it. */
  #place: { readonly at: Address; readonly left: AbortController } | undefined;
  #session: Session | undefined;
  #lastError: KnownError | undefined;
  #waiting = Promise.withResolvers<void>();
  #patience: NodeJS.Timeout | undefined;
  #impatient = false;
  /** Ends the pause before the next try. */
  #hurry: AbortController | undefined;

  private constructor(options: LinkOptions) {
    this.#options = options;
    const { settings, log } = options;
    this.#sentinels = settings.sentinels && new SentinelWatch(settings.sentinels, log, (primary) => this.#moved(primary));
  }

  /** Throws what keeps the first session from beginning. */
  static async open(options: LinkOptions): Promise<Link> {
    const link = new Link(options);
    try {
      link.#session = await link.#connect();
    } catch (err) {
      link.close();
      throw err;
    }
    void link.#keep(link.#session);
    return link;
  }

  /** The session as it is, or the next one when that comes soon. Throws STORE_CLOSED, or why there is none. */
  async session(): Promise<Session> {
    for (;;) {
      this.#mustBeOpen();
      if (this.#session && !this.#session.isOver) return this.#session;
      if (this.#impatient) throw this.#lastError ?? this.#failure(new Error('the connection broke'));
      await this.#waiting.promise;
    }
  }

  close(): void {
    this.#stop.abort();
    clearTimeout(this.#patience);
    this.#sentinels?.close();
    this.#session?.end(new KnownError('STORE_CLOSED', `Cannot use store "${this.#options.settings.shown}": it was closed`));
    this.#wake();
  }

  #mustBeOpen(): void {
    if (this.#stop.signal.aborted)
      throw new KnownError('STORE_CLOSED', `Cannot use store "${this.#options.settings.shown}": it was closed`);
  }

  async #connect(): Promise<Session> {
    let session: Session | undefined;
    try {
      session = await this.#begin();
      await this.#options.greet(session);
      return session;
    } catch (err) {
      session?.end(err);
      throw this.#failure(err);
    }
  }

  async #begin(): Promise<Session> {
    const { settings } = this.#options;
    if (!settings.sentinels) return Session.open(settings);
    const at = await findPrimary(settings.sentinels);
    const left = new AbortController();
    this.#place = { at, left };
    return Session.open(settings, { at, signal: left.signal, isReplaced: () => this.#sentinels?.isReplacing(at) ?? false });
  }

  /** The old primary may live on and keep its connections, or have vanished and keep those who connect to it waiting. */
  #moved(primary: Address): void {
    this.#hurry?.abort();
    if (!this.#place || shown(this.#place.at) === shown(primary)) return;
    this.#place.left.abort(new Error(`the sentinels name another primary: ${shown(primary)}`));
  }

  async #keep(first: Session): Promise<void> {
    let session = first;
    while (!this.#stop.signal.aborted) {
      const reason = await session.ended;
      if (this.#stop.signal.aborted) return;
      this.#options.log.warn('the connection to Redis broke, connecting again', { error: messageOf(reason) });
      this.#lastError = this.#failure(reason);
      this.#patience = setTimeout(() => {
        this.#impatient = true;
        this.#wake();
      }, this.#options.settings.patienceMs);
      const next = await this.#reconnect();
      clearTimeout(this.#patience);
      if (!next) return;
      this.#impatient = false;
      session = this.#session = next;
      this.#options.log.info('connected to Redis again');
      this.#wake();
    }
  }

  /** Undefined when the store was closed meanwhile. */
  async #reconnect(): Promise<Session | undefined> {
    const { pauseMs } = this.#options.settings;
    for (let pause = pauseMs; ; pause = Math.min(2 * pause, longestPauseMs)) {
      // Who is named as the primary while a try goes wrong may not have been the one that was tried.
      this.#hurry = new AbortController();
      try {
        const session = await this.#connect();
        if (!this.#stop.signal.aborted) return session;
        session.end(new Error('the store was closed'));
        return undefined;
      } catch (err) {
        const error = err as KnownError;
        if (error.message !== this.#lastError?.message) this.#options.log.warn(error.message, { hint: error.hint });
        this.#lastError = error;
      }
      const { signal } = this.#hurry;
      await sleep(pause, undefined, { signal: AbortSignal.any([this.#stop.signal, signal]), ref: false }).catch(() => {});
      if (signal.aborted) pause = pauseMs / 2;
      if (this.#stop.signal.aborted) return undefined;
    }
  }

  #wake(): void {
    const { resolve } = this.#waiting;
    this.#waiting = Promise.withResolvers();
    resolve();
  }

  #failure(err: unknown): KnownError {
    return err instanceof KnownError ? err : failed('open', this.#options.settings.shown, err);
  }
}
