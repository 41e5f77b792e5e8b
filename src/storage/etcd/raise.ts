/** Raises etcd's revision, which etcd alone counts: by writes of a key that nobody reads. */
import { compactTo } from './compactor.ts';
import type { Endpoints } from './endpoints.ts';

/** Writes under way, and how many there may be in all: a few minutes of them. */
const atOnce = 200;
export const mostRaised = 1_000_000;
const compactEvery = 50_000;

/** From one revision to another, by as many calls of `write`, each of which raises it by one; others may raise it, too. */
export async function raise(
  endpoints: Pick<Endpoints, 'call'>,
  write: () => Promise<unknown>,
  { from, to }: { readonly from: number; readonly to: number },
  signal?: AbortSignal,
): Promise<void> {
  let compacted = from;
  for (let at = from; at < to; ) {
    signal?.throwIfAborted();
    const count = Math.min(atOnce, to - at);
    await Promise.all(Array.from({ length: count }, write));
    at += count;
    if (at - compacted < compactEvery) continue;
    await compactTo(endpoints, at);
    compacted = at;
  }
}
