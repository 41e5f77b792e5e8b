/** The order of a merged list: entries of the patch in the patch's order, the others in their old order, and both merged by their old places. */

import type { Json } from '../codec/json-object.ts';

/** The same entry: by the merge key, or by value when there is none. */
export function sameElement(a: unknown, b: unknown, mergeKey: string | undefined): boolean {
  if (mergeKey === undefined || typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  return (a as Json)[mergeKey] === (b as Json)[mergeKey];
}

/** The positions of a list's elements, in a map: a patch may hold a hundred thousand of them. */
export class ElementIndex {
  readonly #mergeKey: string | undefined;
  readonly #byKey = new Map<unknown, number>();
  readonly #byValue = new Map<unknown, number>();

  constructor(list: readonly unknown[], mergeKey: string | undefined) {
    this.#mergeKey = mergeKey;
    for (const [at, item] of list.entries()) this.add(item, at);
  }

  /** Of elements that are the same, the first one counts. */
  add(item: unknown, at: number): void {
    const [map, key] = this.#place(item);
    if (!map.has(key)) map.set(key, at);
  }

  /** -1 when no element is the same (`sameElement`). */
  indexOf(item: unknown): number {
    const [map, key] = this.#place(item);
    return map.get(key) ?? -1;
  }

  #place(item: unknown): [Map<unknown, number>, unknown] {
    const keyed = this.#mergeKey !== undefined && typeof item === 'object' && item !== null;
    return keyed ? [this.#byKey, (item as Json)[this.#mergeKey!]] : [this.#byValue, item];
  }
}

/**
 * Upstream's normalizeElementOrder: `merged` is split into what `order` names and what only the server has; each part is
 * sorted by its own list; then both are merged, a server entry first only when it stood before in `before`. In one case upstream
 * differs by accident: where a patch both deletes and adds entries of an ordered list that has entries of the server's own, Go
 * writes the new ones over the list that says what stood where.
 */
export function mergeOrder(
  merged: readonly unknown[],
  order: readonly unknown[],
  before: readonly unknown[],
  mergeKey: string | undefined,
): unknown[] {
  const stood = new ElementIndex(before, mergeKey);
  const wanted = new ElementIndex(order, mergeKey);
  const position = new Map(merged.map((item) => [item, stood.indexOf(item)] as const));
  const named: (readonly [unknown, number])[] = [];
  const server: unknown[] = [];
  for (const item of merged) {
    const at = wanted.indexOf(item);
    if (at >= 0) named.push([item, at]);
    else server.push(item);
  }
  const patched = named.sort((a, b) => a[1] - b[1]).map(([item]) => item);
  server.sort((a, b) => (position.get(a) ?? 0) - (position.get(b) ?? 0));
  return interleaved(server, patched, (item) => position.get(item) ?? -1);
}

/** Merges two lists: an entry of `server` comes before one of `patched` if both had a place before, and its place was earlier. */
function interleaved(server: readonly unknown[], patched: readonly unknown[], positionOf: (item: unknown) => number): unknown[] {
  const out: unknown[] = [];
  let i = 0;
  for (const item of patched) {
    const right = positionOf(item);
    while (i < server.length && isBefore(positionOf(server[i]), right)) out.push(server[i++]);
    out.push(item);
  }
  return [...out, ...server.slice(i)];
}

function isBefore(left: number, right: number): boolean {
  return left >= 0 && right >= 0 && left < right;
}
