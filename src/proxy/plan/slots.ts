/**
 * Gives each wanted name a slot from 0 up without holes, keeping what held a slot before. Removing one name out of n
 * changes at most two slots; sorting would shift them all.
 */
export function assignSlots(previous: readonly string[], wanted: readonly string[]): string[] {
  const want = new Set(wanted);
  const placed = new Set<string>();
  const slots: (string | undefined)[] = previous.slice(0, want.size).map((name) => {
    if (!want.has(name) || placed.has(name)) return undefined;
    placed.add(name);
    return name;
  });
  while (slots.length < want.size) slots.push(undefined);
  const rest = [...want].filter((name) => !placed.has(name)).sort();
  return slots.map((name) => name ?? rest.shift() ?? '');
}
