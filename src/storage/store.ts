/**
 * The contract of the store: a revisioned key-value map. Every write that changes something gets the next revision of one
 * counter for the whole store; keys are compared as bytes of UTF-8. `conformance.ts` says the same in tests, and every backend passes it.
 */

export interface StoredRecord {
  readonly key: string;
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
}

export interface RangeResult {
  readonly records: readonly StoredRecord[];
  /** The store's revision when the range was read: watch from `revision + 1` to miss nothing. */
  readonly revision: number;
  /** True when `limit` cut the range. */
  readonly more: boolean;
  /** How many records the range holds in all, `limit` aside. */
  readonly count: number;
}

export type StoreEvent =
  | { readonly kind: 'put'; readonly revision: number; readonly record: StoredRecord; readonly previous: StoredRecord | undefined }
  | { readonly kind: 'delete'; readonly revision: number; readonly key: string; readonly previous: StoredRecord | undefined };

export function eventKey(event: StoreEvent): string {
  return event.kind === 'put' ? event.record.key : event.key;
}

export type WriteResult =
  | { readonly ok: true; readonly record: StoredRecord }
  /** `current` is what stands there now; undefined when there is nothing. */
  | { readonly ok: false; readonly current: StoredRecord | undefined };

export interface PutOptions {
  /** Compare-and-swap: 0 asks that the key does not exist, n that its modRevision is n; absent writes in any case. */
  readonly ifRevision?: number;
  /** Seconds after which the record deletes itself (an event is sent). A later put without it keeps the record for good. */
  readonly ttlSeconds?: number;
}

export interface Store extends AsyncDisposable {
  /** The newest revision. */
  revision(): Promise<number>;
  get(key: string): Promise<StoredRecord | undefined>;
  /** Records with `start <= key < end` in key order, as they are now. */
  range(start: string, end: string, options?: { readonly limit?: number }): Promise<RangeResult>;
  /** Resolves when the write is durable. `value` belongs to the store from then on: do not change its bytes. Rejects with STORE_FULL when there is no room; nothing has changed then. */
  put(key: string, value: Uint8Array, options?: PutOptions): Promise<WriteResult>;
  /** Deleting what is not there gives `ok: false, current: undefined`. `record` is what was deleted, its modRevision the revision of the deletion. */
  delete(key: string, options?: { readonly ifRevision?: number }): Promise<WriteResult>;
  /**
   * Every event with `start <= key < end` and a revision of at least `fromRevision`, in order, first those of the past.
   * Events come in batches; a revision is never split over two. Throws STORE_COMPACTED when the log no longer reaches
   * back that far; a backend may keep only a short memory of keys whose history nobody needs (Leases), so for a range that
   * holds such keys this comes sooner. Ends when the signal aborts or the store closes.
   */
  watch(start: string, end: string, fromRevision: number, signal: AbortSignal): AsyncIterable<readonly StoreEvent[]>;
  /**
   * The newest `limit` events of the past with `start <= key < end`, oldest first, as far as a watch reaches back. Of the range's events
   * none after `floor` is missing.
   */
  recent(start: string, end: string, limit: number): Promise<{ readonly events: readonly StoreEvent[]; readonly floor: number }>;
  /** Forgets events up to `revision`. Latest values stay. */
  compact(revision: number): Promise<void>;
  /** Also what `await using` does; closing twice is fine. */
  close(): Promise<void>;
}

/** The end of the range that holds every key beginning with `prefix`, which is not empty and ends in an ASCII character such as `/`. */
export function prefixEnd(prefix: string): string {
  return `${prefix.slice(0, -1)}${String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)}`;
}
