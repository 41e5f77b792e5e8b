/**
 * Gives each wanted name a slot from 0 up without holes, keeping what held a slot before. Removing one name out of n
 * changes at most two slots; sorting would shift them all.
 */
export function assignSlots(previous: readonly string[], wanted: ReadonlySet<string> | ReadonlyMap<string, unknown>): string[] {
  const placed = new Set<string>();
  const slots: (string | undefined)[] = [];
  for (let slot = 0; slot < wanted.size; slot++) {
    const name = previous[slot];
    const keeps = name !== undefined && wanted.has(name) && !placed.has(name);
    if (keeps) placed.add(name);
    slots.push(keeps ? name : undefined);
  }
  if (placed.size === wanted.size) return slots as string[];
  const rest = [...wanted.keys()].filter((name) => !placed.has(name)).sort();
  let next = 0;
  return slots.map((name) => name ?? rest[next++] ?? '');
}
