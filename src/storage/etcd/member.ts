/** A member of etcd as this server knows it, and the connection to it. */
import { type Client, connectivityState } from '@grpc/grpc-js';
import type { Clock } from '../../clock/clock.ts';
import { openChannel, type Tls } from './channel.ts';
import { type MemberState, SlowCalls } from './slow-calls.ts';

export class Member {
  readonly url: string;
  readonly slow: SlowCalls;
  /** The term of Raft that it was in when it answered last: others may know of a later one. */
  term = 0;
  /** Connections to it that ended: behind the next one there may be another etcd. */
  ended = 0;
  /** Resolves when it was found to hold this cluster, since it last failed, with the `ended` of when that began. */
  fit: Promise<number> | undefined;
  wasFit = false;
  /** It was of another cluster when it was asked last. */
  isForeign = false;
  /** Whether it knew of a leader when it was asked how it is; undefined when it did not say. */
  hasLeader: boolean | undefined;
  readonly #tls: Tls | undefined;
  readonly #clock: Clock;
  #client: Client;
  #openedAt: number;

  /** `ask` asks it for its state. */
  constructor(url: string, tls: Tls | undefined, clock: Clock, ask: () => Promise<MemberState>) {
    this.url = url;
    this.#tls = tls;
    this.#clock = clock;
    this.slow = new SlowCalls(clock, ask);
    this.#client = this.#open();
    this.#openedAt = clock.monotonic();
  }

  get client(): Client {
    return this.#client;
  }

  /** How long ago it was begun to connect to it anew. */
  get openMs(): number {
    return this.#clock.monotonic() - this.#openedAt;
  }

  connectAnew(): void {
    this.#client.close();
    this.#client = this.#open();
    this.#openedAt = this.#clock.monotonic();
  }

  #open(): Client {
    const client = openChannel(this.url, this.#tls);
    const channel = client.getChannel();
    const follow = (): void => {
      const state = channel.getConnectivityState(false);
      if (state === connectivityState.SHUTDOWN) return;
      channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, () => {
        if (state === connectivityState.READY) this.#hasEnded();
        follow();
      });
    };
    follow();
    return client;
  }

  #hasEnded(): void {
    this.ended++;
    this.fit = undefined;
  }
}
