/**
 * Numbers that are handed out once: offsets of addresses in a range, ports. What objects hold is told by `hold` and `drop` from the
 * watch cache; what was handed out a moment ago and has not come back that way is remembered until it does, or for a while.
 *
 * Safe within one process, for taking is synchronous; among several the claims decide (`claims.ts`).
 */
import type { Clock } from '../../clock/clock.ts';

/** A write takes far less; after that it did not happen. */
const pendingMs = 60_000;
const nobody = '';

/** Numbers that may be handed out, from `first` to `last`. */
export interface Band {
  readonly first: number;
  readonly last: number;
  /** Numbers below this are given out only when asked for by name, or when all above are gone (upstream's static band). */
  readonly dynamicFrom: number;
}

export function inBand({ first, last }: Band, number: number): boolean {
  return Number.isInteger(number) && number >= first && number <= last;
}

/** One number, and where it is taken from. */
export interface Place {
  readonly pool: NumberPool;
  readonly number: number;
}

export class NumberPool {
  readonly #clock: Clock;
  readonly #random: (below: number) => number;
  /** Number → owners, as the stored objects say. Two owners only when old data disagrees. */
  readonly #held = new Map<number, Set<string>>();
  readonly #pending = new Map<number, { readonly owner: string; readonly until: number }>();

  constructor(options: { clock: Clock; random: (below: number) => number }) {
    this.#clock = options.clock;
    this.#random = options.random;
  }

  hold(number: number, owner: string): void {
    const owners = this.#held.get(number);
    if (owners) owners.add(owner);
    else this.#held.set(number, new Set([owner]));
    if (this.#pending.get(number)?.owner === owner) this.#pending.delete(number);
  }

  drop(number: number, owner: string): void {
    const owners = this.#held.get(number);
    owners?.delete(owner);
    if (owners?.size === 0) this.#held.delete(number);
  }

  isFree(number: number, owner: string): boolean {
    const owners = this.#held.get(number);
    if (owners && !(owners.size === 1 && owners.has(owner))) return false;
    const pending = this.#pending.get(number);
    return !pending || pending.owner === owner || pending.until < this.#clock.monotonic();
  }

  /** False when somebody else has it. */
  take(number: number, owner: string): boolean {
    if (!this.isFree(number, owner)) return false;
    this.#pending.set(number, { owner, until: this.#clock.monotonic() + pendingMs });
    return true;
  }

  /** Any free number of the band; undefined when there is none. */
  takeAny({ first, last, dynamicFrom }: Band, owner: string): number | undefined {
    const found = this.#search(dynamicFrom, last) ?? this.#search(first, Math.min(dynamicFrom - 1, last));
    if (found !== undefined) this.take(found, owner);
    return found;
  }

  /** Forgets what `owner` took and did not store. */
  giveBack(owner: string): void {
    for (const [number, pending] of this.#pending) if (pending.owner === owner) this.#pending.delete(number);
  }

  /** From a random place on, around. What its owner took a moment ago is not free either: two ports of one Service are two numbers. */
  #search(first: number, last: number): number | undefined {
    const size = last - first + 1;
    if (size <= 0) return undefined;
    const offset = this.#random(size);
    for (let i = 0; i < size; i++) {
      const number = first + ((offset + i) % size);
      if (!this.#held.has(number) && this.isFree(number, nobody)) return number;
    }
    return undefined;
  }
}
