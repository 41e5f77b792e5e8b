/** Names by something that several of them share. Plain memory. */
export class NameIndex {
  readonly #names = new Map<string, Set<string>>();

  /** Says whether a name is under a key. */
  set(key: string, name: string, isThere: boolean): void {
    const names = this.#names.get(key);
    if (isThere) {
      if (names) names.add(name);
      else this.#names.set(key, new Set([name]));
    } else if (names?.delete(name) && names.size === 0) this.#names.delete(key);
  }

  has(key: string): boolean {
    return this.#names.has(key);
  }

  keys(): Iterable<string> {
    return this.#names.keys();
  }

  under(key: string): Iterable<string> {
    return this.#names.get(key) ?? [];
  }

  [Symbol.iterator](): Iterator<readonly [key: string, names: Iterable<string>]> {
    return this.#names[Symbol.iterator]();
  }
}
