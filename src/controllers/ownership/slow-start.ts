/** Many requests of one kind, few at first: upstream's slowStartBatch. */

export interface Batch<R> {
  /** What came of those that went well. */
  readonly results: readonly R[];
  /** The first refusal; what was not begun by then was left. Undefined when all went well. */
  readonly error: unknown;
}

/**
 * Does `work` for every item, first for one, then for two, four … at a time, so that a quota or a bad template costs one refusal, not
 * hundreds. Never throws.
 */
export async function slowStartBatch<T, R>(
  items: readonly T[],
  work: (item: T) => Promise<R>,
  initialBatchSize: number = 1,
): Promise<Batch<R>> {
  const results: R[] = [];
  for (let begun = 0, size = initialBatchSize; begun < items.length; begun += size, size *= 2) {
    const answers = await Promise.allSettled(items.slice(begun, begun + size).map(work));
    for (const answer of answers) if (answer.status === 'fulfilled') results.push(answer.value);
    const refused = answers.find((answer) => answer.status === 'rejected');
    if (refused) return { results, error: refused.reason };
  }
  return { results, error: undefined };
}
