/** Edit distance in which two letters that changed places count once (optimal string alignment). */
function distance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  const at = (i: number, j: number): number => rows[i]?.[j] ?? 0;
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= b.length; j++) {
      const replaced = at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwapped = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row.push(Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, replaced, isSwapped ? at(i - 2, j - 2) + 1 : replaced));
    }
  }
  return at(a.length, b.length);
}

/** The name that was probably meant: at most two letters off, and fewer than half of them. */
export function nearest(word: string, names: readonly string[]): string | undefined {
  let found: string | undefined;
  let least = Math.min(2, Math.ceil(word.length / 2) - 1) + 1;
  for (const name of names) {
    const d = distance(word, name);
    if (d < least) [found, least] = [name, d];
  }
  return found;
}
