/** client-go's Indexer: objects by key, and by whatever else somebody looks for. */

/** The values under which an object is found. */
export type IndexFunc<T> = (object: T) => readonly string[];

interface Index<T> {
  readonly valuesOf: IndexFunc<T>;
  readonly keys: Map<string, Set<string>>;
}

const none: ReadonlySet<string> = new Set();

export class Indexer<T> {
  readonly #objects = new Map<string, T>();
  readonly #indices = new Map<string, Index<T>>();

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  keys(): Iterable<string> {
    return this.#objects.keys();
  }

  list(): T[] {
    return [...this.#objects.values()];
  }

  /** The first index of a name stays. */
  addIndex(name: string, valuesOf: IndexFunc<T>): void {
    if (this.#indices.has(name)) return;
    const index: Index<T> = { valuesOf, keys: new Map() };
    this.#indices.set(name, index);
    for (const [key, object] of this.#objects) insert(index, key, object);
  }

  byIndex(name: string, value: string): T[] {
    const keys = this.#indices.get(name)?.keys.get(value) ?? none;
    return [...keys].flatMap((key) => this.#objects.get(key) ?? []);
  }

  put(key: string, object: T): void {
    const previous = this.#objects.get(key);
    this.#objects.set(key, object);
    for (const index of this.#indices.values()) {
      if (previous) remove(index, key, previous);
      insert(index, key, object);
    }
  }

  delete(key: string): void {
    const previous = this.#objects.get(key);
    if (!previous) return;
    this.#objects.delete(key);
    for (const index of this.#indices.values()) remove(index, key, previous);
  }
}

function insert<T>(index: Index<T>, key: string, object: T): void {
  for (const value of index.valuesOf(object)) {
    const keys = index.keys.get(value);
    if (keys) keys.add(key);
    else index.keys.set(value, new Set([key]));
  }
}

function remove<T>(index: Index<T>, key: string, object: T): void {
  for (const value of index.valuesOf(object)) {
    const keys = index.keys.get(value);
    keys?.delete(key);
    if (keys?.size === 0) index.keys.delete(value);
  }
}
