/**
 * Does `work` for every item, first for one, then for two, four … at a time, so that a quota or a bad template costs one
 * refusal, not hundreds. Throws the first refusal once its batch has ended.
 */
export async function inGrowingBatches<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let done = 0, size = 1; done < items.length; done += size, size *= 2) {
    const results = await Promise.allSettled(items.slice(done, done + size).map(work));
    const refused = results.find((r) => r.status === 'rejected');
    if (refused) throw refused.reason;
  }
}
