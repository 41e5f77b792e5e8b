interface UseChanges {
  readonly fresh: readonly string[];
  readonly gone: readonly string[];
}

/** Of most changes of a Service. */
export const noUses: UseChanges = { fresh: [], gone: [] };

/** Which things of a kind are in use, and what changed since it was last settled. Plain memory. */
export class UseCount {
  readonly #uses = new Map<string, number>();
  /** Whether a thing was in use before it changed. */
  readonly #before = new Map<string, boolean>();

  /** One more use (1) or one less (-1). */
  use(name: string, step: 1 | -1): void {
    const count = this.#uses.get(name) ?? 0;
    if (!this.#before.has(name)) this.#before.set(name, count > 0);
    if (count + step === 0) this.#uses.delete(name);
    else this.#uses.set(name, count + step);
  }

  has(name: string): boolean {
    return this.#uses.has(name);
  }

  get names(): string[] {
    return [...this.#uses.keys()];
  }

  /** Those in use now that were not, and those that were. */
  get changes(): UseChanges {
    if (this.#before.size === 0) return noUses;
    const changed = [...this.#before].filter(([name, was]) => this.#uses.has(name) !== was);
    return { fresh: changed.filter(([, was]) => !was).map(([name]) => name), gone: changed.filter(([, was]) => was).map(([name]) => name) };
  }

  settled(): void {
    this.#before.clear();
  }
}
