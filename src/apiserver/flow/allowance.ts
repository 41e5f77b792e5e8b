export interface AllowanceLimits {
  readonly each: number;
  readonly all: number;
}

/** Something of which each holder, and all of them together, may have so much: bytes of bodies under way, watches. */
export class Allowance {
  readonly #each: number;
  readonly #all: number;
  readonly #held = new Map<string, number>();
  #total = 0;

  constructor(limits: AllowanceLimits) {
    this.#each = limits.each;
    this.#all = limits.all;
  }

  get total(): number {
    return this.#total;
  }

  /** Returns what gives it back, which does so once; undefined when it would be too much. */
  take(holder: string, amount: number): (() => void) | undefined {
    const held = this.#held.get(holder) ?? 0;
    if (held + amount > this.#each || this.#total + amount > this.#all) return undefined;
    this.#held.set(holder, held + amount);
    this.#total += amount;
    let given = false;
    return () => {
      if (given) return;
      given = true;
      const left = (this.#held.get(holder) ?? 0) - amount;
      if (left > 0) this.#held.set(holder, left);
      else this.#held.delete(holder);
      this.#total -= amount;
    };
  }
}
