/** Clients that write, read and watch side by side, whatever happens to the store meanwhile, and note what they saw. */
import { setImmediate as otherWork, setTimeout as sleep } from 'node:timers/promises';
import { Compacted, prefixEnd, type Store, type StoredRecord, type StoreEvent } from '../../store.ts';
import { bytes, text } from '../events.ts';
import type { History, Operation, Seen, Watched, WatchedEvent, Write } from './history.ts';

export interface WorkloadOptions {
  /** A number below n. */
  readonly random: (n: number) => number;
  readonly writers?: number;
  readonly keys?: number;
}

const prefix = '/history/';
const everything = { start: prefix, end: prefixEnd(prefix) };

/** As a failed call is asked again: soon, but not at once. */
const retryMs = 5;

function seen(record: StoredRecord | undefined): Seen | undefined {
  return record && { value: text(record.value)!, createRevision: record.createRevision, modRevision: record.modRevision };
}

function watched(event: StoreEvent, at: number): WatchedEvent {
  const { revision, previous } = event;
  const record = event.kind === 'put' ? seen(event.record) : undefined;
  const key = event.kind === 'put' ? event.record.key : event.key;
  return { revision, key, value: record?.value, createRevision: record?.createRevision, previous: seen(previous), at };
}

/** Follows a range over the death of its store: each watch goes on after the last event that it has. */
class Watcher implements Watched {
  readonly name: string;
  readonly events: WatchedEvent[] = [];
  readonly #store: Store;
  readonly #range: { readonly start: string; readonly end: string };
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  #newest: number;

  constructor(name: string, store: Store, range: { readonly start: string; readonly end: string }, base: number) {
    this.name = name;
    this.#store = store;
    this.#range = range;
    this.#newest = base;
    this.#done = this.#follow();
  }

  covers(key: string): boolean {
    return this.#range.start <= key && key < this.#range.end;
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        for await (const batch of this.#store.watch(this.#range.start, this.#range.end, this.#newest + 1, { signal })) {
          const at = performance.now();
          for (const event of batch) this.events.push(watched(event, at));
          this.#newest = batch.at(-1)?.revision ?? this.#newest;
        }
      } catch (err) {
        // Nothing was compacted here: it lost its past.
        if (err instanceof Compacted) throw err;
      }
      if (!signal.aborted) await sleep(retryMs);
    }
  }

  /** Returns once it was told of this revision, and watches no more. */
  async end(revision: number): Promise<void> {
    while (this.#newest < revision) await Promise.race([sleep(retryMs), this.#done]);
    this.#stop.abort();
    await this.#done;
  }
}

/** One workload: start it, do to the store what is to be tried, then ask for its history. */
export class Workload {
  readonly #store: Store;
  readonly #random: (n: number) => number;
  readonly #keys: readonly string[];
  readonly #operations: Operation[] = [];
  readonly #watchers: [Watcher, ...Watcher[]];
  readonly #base: number;
  readonly #writers: readonly Promise<void>[];
  #ended = false;
  #acknowledged = 0;

  private constructor(store: Store, base: number, { random, writers = 8, keys = 6 }: WorkloadOptions) {
    this.#store = store;
    this.#base = base;
    this.#random = random;
    this.#keys = Array.from({ length: keys }, (_, i) => `${prefix}${i}`);
    const half = { start: prefix, end: `${prefix}${keys >> 1}` };
    this.#watchers = [
      new Watcher('the first watcher', store, everything, base),
      new Watcher('the second watcher', store, everything, base),
      new Watcher('the watcher of half the keys', store, half, base),
    ];
    this.#writers = Array.from({ length: writers }, (_, writer) => this.#client(writer));
  }

  /** The store has nothing under `/history/` yet. */
  static async start(store: Store, options: WorkloadOptions): Promise<Workload> {
    return new Workload(store, await store.revision(), options);
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Returns after so many more writes were acknowledged. */
  async more(writes: number): Promise<void> {
    const until = this.#acknowledged + writes;
    while (this.#acknowledged < until) await sleep(1);
  }

  /** Ends the clients; the store must answer again. */
  async history(): Promise<History> {
    this.#ended = true;
    await Promise.all(this.#writers);
    // One more write is the end for all watchers; each watcher's range holds the first key.
    const last = await this.#until((store) => store.put(this.#keys[0]!, bytes('the end')));
    if (!last.ok) throw new Error('a put without a condition was refused');
    const { createRevision, modRevision } = last.record;
    const now = performance.now();
    const outcome = { is: 'done', revision: modRevision, createRevision } as const;
    this.#operations.push({
      kind: 'write',
      key: last.record.key,
      value: 'the end',
      ifRevision: undefined,
      outcome,
      began: now - 60_000,
      ended: now,
    });
    await Promise.all(this.#watchers.map((watcher) => watcher.end(modRevision)));
    await this.#until(() => this.#range());
    return { base: this.#base, operations: this.#operations, watchers: this.#watchers };
  }

  /** Asks until the store answers. */
  async #until<T>(ask: (store: Store) => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await ask(this.#store);
      } catch {
        await sleep(retryMs);
      }
    }
  }

  async #client(writer: number): Promise<void> {
    const known = new Map<string, number>();
    for (let i = 0; !this.#ended; i++) {
      // A store in memory answers before anybody else has a turn.
      await otherWork();
      const key = this.#keys[this.#random(this.#keys.length)]!;
      const kind = this.#random(100);
      try {
        if (kind < 15) await this.#read(key, known);
        else if (kind < 18) await this.#range();
        else await this.#write(key, kind < 85 ? `${writer}-${i}` : undefined, [undefined, known.get(key) ?? 0][this.#random(2)], known);
      } catch {
        // Noted as unknown where it matters; a dead store is asked again.
        await sleep(retryMs);
      }
    }
  }

  async #read(key: string, known: Map<string, number>): Promise<void> {
    const began = performance.now();
    const found = seen(await this.#store.get(key));
    known.set(key, found?.modRevision ?? 0);
    this.#operations.push({ kind: 'read', key, found, began, ended: performance.now() });
  }

  async #range(): Promise<void> {
    const began = performance.now();
    const { records, revision } = await this.#store.range(everything.start, everything.end);
    const found = new Map(records.map((record) => [record.key, seen(record)!] as const));
    this.#operations.push({ kind: 'range', revision, found, began, ended: performance.now() });
  }

  async #write(key: string, value: string | undefined, ifRevision: number | undefined, known: Map<string, number>): Promise<void> {
    const options: { readonly ifRevision?: number } = ifRevision === undefined ? {} : { ifRevision };
    const began = performance.now();
    const note = (outcome: Write['outcome']): void =>
      void this.#operations.push({ kind: 'write', key, value, ifRevision, outcome, began, ended: performance.now() });
    try {
      const result = await (value === undefined ? this.#store.delete(key, options) : this.#store.put(key, bytes(value), options));
      if (!result.ok) {
        known.set(key, result.current?.modRevision ?? 0);
        return note({ is: 'refused', found: seen(result.current) });
      }
      const { modRevision, createRevision } = result.record;
      known.set(key, value === undefined ? 0 : modRevision);
      this.#acknowledged++;
      note({ is: 'done', revision: modRevision, createRevision });
    } catch (err) {
      note({ is: 'unknown' });
      throw err;
    }
  }
}
