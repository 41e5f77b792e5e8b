/** A queue for each flow, served in turns: who asks a thousand times waits behind himself, not in front of others (KEP-1040). */
export class FairQueue<T> {
  /** The flow whose turn it is stands first. */
  readonly #flows = new Map<string, T[]>();
  #size = 0;

  /** Of all flows. */
  get size(): number {
    return this.#size;
  }

  lengthOf(flow: string): number {
    return this.#flows.get(flow)?.length ?? 0;
  }

  firstOf(flow: string): T | undefined {
    return this.#flows.get(flow)?.[0];
  }

  push(flow: string, item: T): void {
    const queue = this.#flows.get(flow);
    if (queue) queue.push(item);
    else this.#flows.set(flow, [item]);
    this.#size++;
  }

  /** What `shift` would return. */
  peek(): T | undefined {
    return this.#flows.values().next().value?.[0];
  }

  shift(): T | undefined {
    const next = this.#flows.entries().next().value;
    if (!next) return undefined;
    const [flow, queue] = next;
    const item = queue.shift();
    // To the end of the turns.
    this.#flows.delete(flow);
    if (queue.length > 0) this.#flows.set(flow, queue);
    this.#size--;
    return item;
  }

  /** False when it is not there any more. */
  remove(flow: string, item: T): boolean {
    const queue = this.#flows.get(flow);
    const at = queue?.indexOf(item) ?? -1;
    if (!queue || at < 0) return false;
    queue.splice(at, 1);
    if (queue.length === 0) this.#flows.delete(flow);
    this.#size--;
    return true;
  }
}
