/**
 * Calls to one member that take long. A write that the member has passed on to a leader that died is never answered, and a member that
 * vanished says nothing at all; etcd lets both wait for 7 seconds. So while a call takes long, the member is asked for its state.
 */
import type { Clock } from '../../clock/clock.ts';
import { LeaderChanged } from './etcd-error.ts';

/** How long a call may take before the member is asked, and how long between one question and the next. */
const askEveryMs = 250;

export interface MemberState {
  /** Raft's term: there is a higher one after each election. */
  readonly term: number;
  readonly hasLeader: boolean;
}

interface UnderWay {
  readonly sentAt: number;
  /** The newest term that was known when it was sent. */
  readonly term: number;
  giveUp(why: Error): void;
  /** The member knew of a later term, and of its leader, when it was asked last. */
  isLate: boolean;
}

export class SlowCalls {
  readonly #clock: Clock;
  readonly #ask: () => Promise<MemberState>;
  readonly #calls = new Set<UnderWay>();
  #isWatching = false;

  /** `ask` rejects when the member says nothing for so long that nobody should wait for it. */
  constructor(clock: Clock, ask: () => Promise<MemberState>) {
    this.#clock = clock;
    this.#ask = ask;
  }

  /** Watches over a call; gives what is to be done when it has ended. `giveUp` is called at most once. */
  add(term: number, giveUp: (why: Error) => void): () => void {
    const call = { sentAt: this.#clock.monotonic(), term, giveUp, isLate: false };
    this.#calls.add(call);
    this.#watch();
    return () => void this.#calls.delete(call);
  }

  #watch(): void {
    if (this.#isWatching || this.#calls.size === 0) return;
    this.#isWatching = true;
    this.#clock.after(askEveryMs, () => {
      void this.#look().finally(() => {
        this.#isWatching = false;
        this.#watch();
      });
    });
  }

  async #look(): Promise<void> {
    const before = this.#clock.monotonic() - askEveryMs;
    const slow = [...this.#calls].filter(({ sentAt }) => sentAt <= before);
    if (slow.length === 0) return;
    try {
      const state = await this.#ask();
      for (const call of slow) this.#compare(call, state);
    } catch (err) {
      for (const call of slow) this.#end(call, err as Error);
    }
  }

  /** What the new leader took over it commits at once: a call is lost when it is still under way at the next question. */
  #compare(call: UnderWay, { term, hasLeader }: MemberState): void {
    if (!hasLeader || term <= call.term) return;
    if (call.isLate) this.#end(call, new LeaderChanged());
    else call.isLate = true;
  }

  #end(call: UnderWay, why: Error): void {
    if (this.#calls.delete(call)) call.giveUp(why);
  }
}
