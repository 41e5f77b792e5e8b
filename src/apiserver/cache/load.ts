/** What the watch cache reads when it begins: every object, and what the cluster went through shortly before. */
import { Compacted, prefixEnd, type Store, type StoreEvent } from '../../storage/store.ts';
import { CachedObject } from './cached-object.ts';

export const registryPrefix = '/registry/';
/** Leases are renewed all the time, and nobody asks for their past: a store need not keep it. */
export const withoutHistory: readonly string[] = [`${registryPrefix}leases/`, `${registryPrefix}masterleases/`];
const pageSize = 1000;
/** How far back, in revisions, the caches reach at the start: what the watchers of a server that was started anew may have missed. */
const recalled = 5_000;

/** Of the events up to now none after `floor` is missing. */
export interface Past {
  readonly events: readonly StoreEvent[];
  readonly floor: number;
}

/** Gives every object of a prefix. Pages are not of one moment: `first` and `last` are the revisions of the first and of the last one. */
export async function readObjects(
  store: Store,
  prefix: string,
  take: (object: CachedObject) => void,
): Promise<{ readonly first: number; readonly last: number }> {
  const end = prefixEnd(prefix);
  let start = prefix;
  let first: number | undefined;
  for (;;) {
    const page = await store.range(start, end, { limit: pageSize });
    first ??= page.revision;
    for (const record of page.records) take(CachedObject.of(record));
    const tail = page.records.at(-1);
    if (!page.more || !tail) return { first, last: page.revision };
    start = `${tail.key}\0`;
  }
}

/** What happened before `until`: with it watches go on after a restart of the server where they were. */
export async function readPast(store: Store, until: number, signal: AbortSignal): Promise<Past> {
  let floor = Math.max(0, until - recalled);
  for (;;) {
    try {
      return { events: await eventsBetween(store, floor + 1, until, signal), floor };
    } catch (err) {
      if (!(err instanceof Compacted && err.floor > floor)) throw err;
      floor = err.floor;
    }
  }
}

async function eventsBetween(store: Store, from: number, until: number, signal: AbortSignal): Promise<StoreEvent[]> {
  const events: StoreEvent[] = [];
  for (const { start, end } of historyRanges()) {
    for await (const batch of store.watch(start, end, from, { until, signal })) events.push(...batch);
  }
  return events;
}

/** All keys but those without history. */
function historyRanges(): { readonly start: string; readonly end: string }[] {
  const gaps = withoutHistory.toSorted();
  const starts = [registryPrefix, ...gaps.map(prefixEnd)];
  const ends = [...gaps, prefixEnd(registryPrefix)];
  return starts.map((start, i) => ({ start, end: ends[i]! }));
}
