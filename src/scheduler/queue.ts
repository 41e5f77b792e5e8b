/**
 * Pods that wait for a node. Ready ones come out by priority, then by age. One that did not fit waits until the cluster
 * changes in a way that may help, with a delay that doubles, so that a pod that never fits costs little.
 */
import { type BackOffOptions, backOffMs } from '../clock/back-off.ts';
import type { Clock } from '../clock/clock.ts';

interface Waiting {
  readonly key: string;
  priority: number;
  readonly order: number;
  attempts: number;
  /** Not tried again before. */
  notBefore: number;
}

export const defaultBackOff: BackOffOptions = { durationMs: 1_000, capMs: 10_000 };
/** A pod that did not fit is tried again after this long even if nothing seems to have changed. */
const unschedulableMs = 300_000;

export class SchedulingQueue {
  readonly #clock: Clock;
  readonly #backOff: BackOffOptions;
  /** The next one at the end. */
  readonly #ready: Waiting[] = [];
  /** Those whose delay runs, the first to end at the end. */
  readonly #delayed: Waiting[] = [];
  readonly #known = new Map<string, Waiting>();
  readonly #unschedulable = new Map<string, Waiting>();
  #order = 0;
  /** Counts the changes of the cluster: a pod that failed while one happened is not put to sleep on old news. */
  #moves = 0;
  #taker: ((key: string | undefined) => void) | undefined;
  #timer: { readonly at: number; cancel(): void } | undefined;
  #closed = false;

  constructor(clock: Clock, backOff: BackOffOptions = defaultBackOff) {
    this.#clock = clock;
    this.#backOff = backOff;
  }

  get size(): number {
    return this.#known.size;
  }

  /** A new pod, or one whose own change may make it fit. */
  add(key: string, priority: number): void {
    const known = this.#known.get(key);
    if (known && !this.#unschedulable.delete(key)) return;
    const pod = known ?? { key, priority, order: this.#order++, attempts: 0, notBefore: 0 };
    pod.priority = priority;
    this.#known.set(key, pod);
    this.#push(pod);
  }

  /** The pod has a node or is gone. */
  remove(key: string): void {
    const pod = this.#known.get(key);
    if (!pod) return;
    this.#known.delete(key);
    if (this.#unschedulable.delete(key)) return;
    for (const list of [this.#ready, this.#delayed]) {
      const at = list.indexOf(pod);
      if (at >= 0) list.splice(at, 1);
    }
  }

  /** The number to give to `failed`. */
  get moves(): number {
    return this.#moves;
  }

  /** No node did. `moves` is what the queue's counter said when the attempt began. */
  failed(key: string, moves: number): void {
    const pod = this.#known.get(key);
    if (!pod) return;
    pod.attempts++;
    pod.notBefore = this.#clock.monotonic() + backOffMs(this.#backOff, pod.attempts);
    if (moves === this.#moves) {
      this.#unschedulable.set(key, pod);
      this.#arm(pod.notBefore + unschedulableMs);
    } else this.#push(pod);
  }

  /** Something changed that may help: every pod that did not fit is tried again once its delay is over. */
  moveAll(): void {
    this.#moves++;
    const pods = [...this.#unschedulable.values()];
    this.#unschedulable.clear();
    for (const pod of pods) this.#push(pod);
  }

  /** The next pod; undefined once the queue is closed. One caller at a time. */
  take(): Promise<string | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    this.#ripen();
    const pod = this.#ready.pop();
    if (pod) return Promise.resolve(pod.key);
    return new Promise((resolve) => {
      this.#taker = resolve;
    });
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#taker?.(undefined);
  }

  #push(pod: Waiting): void {
    if (pod.notBefore > this.#clock.monotonic()) {
      insert(this.#delayed, pod, endsBefore);
      this.#arm(pod.notBefore);
      return;
    }
    insert(this.#ready, pod, before);
    this.#wake();
  }

  #wake(): void {
    if (!this.#taker) return;
    const pod = this.#ready.pop();
    if (!pod) return;
    const taker = this.#taker;
    this.#taker = undefined;
    taker(pod.key);
  }

  /** Moves on what has waited long enough. */
  #ripen(): void {
    const now = this.#clock.monotonic();
    for (let pod = this.#delayed.at(-1); pod && pod.notBefore <= now; pod = this.#delayed.at(-1)) {
      this.#delayed.pop();
      insert(this.#ready, pod, before);
    }
    // In the order they failed, so the first that is too young ends the search.
    for (const [key, pod] of this.#unschedulable) {
      if (pod.notBefore + unschedulableMs > now) break;
      this.#unschedulable.delete(key);
      insert(this.#ready, pod, before);
    }
  }

  /** One timer, for whatever falls due first. */
  #arm(at: number): void {
    if (this.#closed || (this.#timer && this.#timer.at <= at)) return;
    this.#timer?.cancel();
    const timer = this.#clock.after(Math.max(at - this.#clock.monotonic(), 1), () => {
      this.#timer = undefined;
      this.#ripen();
      this.#wake();
      const delayed = this.#delayed.at(-1);
      if (delayed) this.#arm(delayed.notBefore);
      const [first] = this.#unschedulable.values();
      if (first) this.#arm(first.notBefore + unschedulableMs);
    });
    this.#timer = { at, cancel: () => timer.cancel() };
  }
}

/** Kept in order, the next at the end. Most pods come with the same priority and in order, so the place is near the front. */
function insert(list: Waiting[], pod: Waiting, first: (a: Waiting, b: Waiting) => boolean): void {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (first(list[middle] as Waiting, pod)) high = middle;
    else low = middle + 1;
  }
  list.splice(low, 0, pod);
}

function endsBefore(a: Waiting, b: Waiting): boolean {
  return a.notBefore < b.notBefore;
}

/** Whether `a` comes out before `b`. */
function before(a: Waiting, b: Waiting): boolean {
  return a.priority !== b.priority ? a.priority > b.priority : a.order < b.order;
}
