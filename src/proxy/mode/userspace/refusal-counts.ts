/** What the kernel refuses where no relay listens, since nobody is served: a relay would take connections, and only then end them. */
import type { Clock } from '../../../clock/clock.ts';
import { messageOf } from '../../../errors/known-error.ts';
import type { Arrivals } from '../../../linux/arrivals.ts';
import type { Log } from '../../../observability/log.ts';
import type { RelayCount } from '../../relay/relay-count.ts';
import type { RelayedFrontend } from './frontends.ts';
import type { RelayHost } from './relay-host.ts';

/** What arrives waits in the kernel meanwhile, which has room for some thousand. */
const lookMs = 1000;

interface RefusalCountsOptions {
  readonly host: Pick<RelayHost, 'arrivals'>;
  readonly clock: Clock;
  readonly log: Log;
}

export class RefusalCounts {
  readonly #options: RefusalCountsOptions;
  /** By `ip . tcp . port`. */
  readonly #followed = new Map<string, { readonly arrivals: Pick<Arrivals, 'take' | 'close'>; readonly count: RelayCount }>();
  #timer: { cancel(): void } | undefined;
  #isTold = false;

  constructor(options: RefusalCountsOptions) {
    this.#options = options;
  }

  /** Counts for `count` what comes to a frontend from now on. */
  follow(name: string, { protocol, ip, port }: RelayedFrontend, count: RelayCount): void {
    const { host, log } = this.#options;
    try {
      const arrivals = this.#followed.get(name)?.arrivals ?? host.arrivals?.(protocol, { ip, port });
      if (arrivals) this.#followed.set(name, { arrivals, count });
    } catch (err) {
      // Whoever comes is refused all the same; of all that cannot be counted one is told.
      if (!this.#isTold) log.warn(`${messageOf(err)}: what is refused there is not counted`);
      this.#isTold = true;
    }
    this.#lookLater();
  }

  #lookLater(): void {
    if (this.#followed.size === 0) return;
    this.#timer ??= this.#options.clock.after(lookMs, () => {
      this.#timer = undefined;
      this.look();
      this.#lookLater();
    });
  }

  /** Takes what has come by now. */
  look(): void {
    for (const { arrivals, count } of this.#followed.values()) count.refuse(arrivals.take());
  }

  forget(name: string): void {
    const followed = this.#followed.get(name);
    if (!followed) return;
    followed.count.refuse(followed.arrivals.take());
    followed.arrivals.close();
    this.#followed.delete(name);
  }

  close(): void {
    for (const name of [...this.#followed.keys()]) this.forget(name);
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
