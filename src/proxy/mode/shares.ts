/**
 * Lists of slots in which an endpoint may hold several: whoever holds more slots gets more connections. Of one list to the next as few slots as
 * can be change hands. Pure.
 */

/** So many slots for each endpoint, at least: shares that are to be equal then differ by at most a sixteenth. */
const slotsEach = 16;
const maxSlots = 65_536;

/** A power of two, and never fewer than before: clients would move. */
export function slotCount(endpoints: number, before: number): number {
  let size = slotsEach;
  while (size < maxSlots && (size < endpoints * slotsEach || size < before)) size *= 2;
  return size;
}

/**
 * The same list in a larger size, or nothing when it was no list of this kind. The kernel makes a slot from a hash by its upper bits, so each
 * slot becomes two neighbours and nobody moves.
 */
export function widened(slots: readonly string[], size: number): readonly string[] {
  const factor = size / slots.length;
  if (factor === 1) return slots;
  if (slots.length < slotsEach || !Number.isInteger(factor)) return [];
  return slots.flatMap((name) => Array.from({ length: factor }, () => name));
}

/** How many slots each endpoint is to hold. */
export type Shares = ReadonlyMap<string, number>;

/** How many each holds of those that are named. */
export function heldShares(slots: readonly string[], names: Iterable<string>): Map<string, number> {
  const held = new Map<string, number>(Array.from(names, (name) => [name, 0] as const));
  for (const name of slots) {
    const count = held.get(name);
    if (count !== undefined) held.set(name, count + 1);
  }
  return held;
}

/** As equal as can be; who holds most has what is left over. */
export function equalShares(names: Iterable<string>, slots: readonly string[], size: number): Shares {
  const held = [...heldShares(slots, names)].sort(([a, many], [b, more]) => more - many || (a < b ? -1 : 1));
  const each = Math.floor(size / held.length);
  const over = size - each * held.length;
  return new Map(held.map(([name], i) => [name, i < over ? each + 1 : each]));
}

/** In proportion to weights, of which one is above 0. */
export function weightedShares(weights: ReadonlyMap<string, number>, size: number): Shares {
  const sum = [...weights.values()].reduce((a, b) => a + b, 0);
  const exact = [...weights].map(([name, weight]) => ({ name, part: (weight / sum) * size }));
  const shares = new Map(exact.map(({ name, part }) => [name, Math.floor(part)]));
  const left = size - [...shares.values()].reduce((a, b) => a + b, 0);
  const byRest = exact.toSorted((a, b) => (b.part % 1) - (a.part % 1) || (a.name < b.name ? -1 : 1));
  for (const { name } of byRest.slice(0, left)) shares.set(name, (shares.get(name) ?? 0) + 1);
  return shares;
}

/** The slots by these shares: who holds one keeps it as long as its share allows. */
export function fillSlots(slots: readonly string[], shares: Shares): string[] {
  const left = new Map(shares);
  const size = [...shares.values()].reduce((a, b) => a + b, 0);
  const take = (name: string | undefined): string | undefined => {
    const count = left.get(name ?? '') ?? 0;
    if (count === 0) return undefined;
    left.set(name ?? '', count - 1);
    return name;
  };
  const kept = Array.from({ length: size }, (_, slot) => take(slots[slot]));
  const rest = [...left].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([name, count]) => Array.from({ length: count }, () => name));
  let next = 0;
  return kept.map((name) => name ?? rest[next++] ?? '');
}

/** What is known of an endpoint list that is chosen from by the fewest connections. */
export interface Load {
  /** Connections by endpoint; who is not named has none. */
  readonly connections: ReadonlyMap<string, number>;
  /** How many of those are to end before the next count. Absent: none. */
  readonly ending?: ReadonlyMap<string, number>;
  /** How many are to be expected before the next count. */
  readonly expected: number;
}

/**
 * Weights by which those that are expected fill up the emptiest endpoints to one level, as water would: with one to come only the emptiest
 * have any. What a scheduler would do that counts at each connection.
 */
export function fewestFirst(names: Iterable<string>, { connections, ending, expected }: Load): Map<string, number> {
  const left = (name: string): number => (connections.get(name) ?? 0) - (ending?.get(name) ?? 0);
  const sorted = Array.from(names, (name) => ({ name, count: left(name) })).sort((a, b) => a.count - b.count);
  let sum = 0;
  let level = 0;
  for (const [i, { count }] of sorted.entries()) {
    if (i > 0 && count >= level) break;
    sum += count;
    level = (sum + Math.max(1, expected)) / (i + 1);
  }
  return new Map(sorted.map(({ name, count }) => [name, Math.max(0, level - count)]));
}
