/** Sets of completion indexes, as `status.completedIndexes` writes them: `0,2-5`. */

/** Increasing, apart from each other; first and last belong to it. */
export type Indexes = readonly (readonly [first: number, last: number])[];

/** Drops what is no index below `completions`: anybody may have written it. */
export function parseIndexes(text: string | undefined, completions: number): Indexes {
  const found: [number, number][] = [];
  for (const part of (text ?? '').split(',')) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (!match) continue;
    const first = Number(match[1]);
    const last = Math.min(Number(match[2] ?? match[1]), completions - 1);
    if (first <= last) found.push([first, last]);
  }
  return merged(found);
}

export function formatIndexes(indexes: Indexes): string {
  return indexes
    .map(([first, last]) => (first === last ? `${first}` : last === first + 1 ? `${first},${last}` : `${first}-${last}`))
    .join(',');
}

export function union(indexes: Indexes, more: Indexes): Indexes {
  return merged([...indexes, ...more]);
}

export function indexesOf(numbers: Iterable<number>): Indexes {
  return merged([...numbers].map((one) => [one, one] as const));
}

export function totalOf(indexes: Indexes): number {
  return indexes.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}

export function hasIndex(indexes: Indexes, index: number): boolean {
  return indexes.some(([first, last]) => first <= index && index <= last);
}

/** How many numbers both have. */
export function overlap(a: Indexes, b: Indexes): number {
  let count = 0;
  for (const [first, last] of a) for (const [from, to] of b) count += Math.max(0, Math.min(last, to) - Math.max(first, from) + 1);
  return count;
}

/** The lowest numbers below `completions` that are not in `taken`, at most `count`. */
export function firstFree(taken: Indexes, count: number, completions: number): number[] {
  const found: number[] = [];
  let candidate = 0;
  for (const [first, last] of [...taken, [completions, completions]] as const) {
    for (; candidate < Math.min(first, completions) && found.length < count; candidate++) found.push(candidate);
    candidate = Math.max(candidate, last + 1);
  }
  return found;
}

function merged(intervals: readonly (readonly [number, number])[]): Indexes {
  const result: [number, number][] = [];
  for (const [first, last] of intervals.toSorted((a, b) => a[0] - b[0])) {
    const previous = result.at(-1);
    if (previous && first <= previous[1] + 1) previous[1] = Math.max(previous[1], last);
    else result.push([first, last]);
  }
  return result;
}
