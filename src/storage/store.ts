/**
 * The contract of the store: a revisioned key-value map. Every write that changes something gets the next revision of one
 * counter for the whole store; keys are compared as bytes of UTF-8. `testing/conformance.ts` says the same in tests, and every backend passes it.
 */
import type { Clock } from '../clock/clock.ts';
import { KnownError } from '../errors/known-error.ts';
import type { Log } from '../observability/log.ts';

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
  /** `current` is what stands there now; undefined when there is nothing. `taken`: nothing but this key of `alongside` or `provided` was in the way. */
  | { readonly ok: false; readonly current: StoredRecord | undefined; readonly taken?: string };

/** A record that is to be made. */
export interface NewRecord {
  readonly key: string;
  readonly value: Uint8Array;
}

/** A record that is to go, as long as its modRevision is this one. */
export interface OldRecord {
  readonly key: string;
  readonly ifRevision: number;
}

export type Companion = NewRecord | OldRecord;

/** A record beside those that are written, and the modRevision that it must have; 0: there must be none. It stays as it is. */
export interface Proviso {
  readonly key: string;
  readonly ifRevision: number;
}

/** The modRevision that its key must have: 0 where there must be nothing. */
export function revisionAsked(companion: Companion | Proviso): number {
  return 'value' in companion ? 0 : companion.ifRevision;
}

export interface PutOptions {
  /** Compare-and-swap: 0 asks that the key does not exist, n that its modRevision is n; absent writes in any case. */
  readonly ifRevision?: number;
  /** Seconds until the store deletes the record, with an event. A later put without it keeps the record for good. */
  readonly ttlSeconds?: number;
  /**
   * Made or deleted in the same commit: all of it is done, or nothing, as when one of these keys has another revision. Their revisions follow
   * that of the write, or are the same, as the engine has it. None of them is the key of the write, none comes twice.
   */
  readonly alongside?: readonly Companion[];
  /** Nothing is done unless all of these hold in the same commit. */
  readonly provided?: readonly Proviso[];
}

export interface DeleteOptions {
  readonly ifRevision?: number;
  /** As with a put. Where there is nothing to delete, nothing is done. */
  readonly alongside?: readonly OldRecord[];
  readonly provided?: readonly Proviso[];
}

export interface WatchOptions {
  readonly signal: AbortSignal;
  /** The watch ends after the last event up to this revision. */
  readonly until?: number;
  /**
   * Called with a revision when every event up to it was given. Revisions that are no event of the range are told of by a watch of
   * all keys, by a store whose revisions count more than its own writes; where each is an event, nobody calls it.
   */
  readonly onProgress?: (revision: number) => void;
}

export interface Store extends AsyncDisposable {
  /** The newest revision. */
  revision(): Promise<number>;
  get(key: string): Promise<StoredRecord | undefined>;
  /** Records with `start <= key < end` in key order, as they are now. */
  range(start: string, end: string, options?: { readonly limit?: number }): Promise<RangeResult>;
  /**
   * Resolves when the write is durable. The store keeps `value`: do not change its bytes afterwards. Rejects with STORE_FULL, and has changed
   * nothing, when there is no room.
   */
  put(key: string, value: Uint8Array, options?: PutOptions): Promise<WriteResult>;
  /** Gives the deleted record, with the revision of the deletion as its modRevision; `ok: false, current: undefined` when there is none. */
  delete(key: string, options?: DeleteOptions): Promise<WriteResult>;
  /**
   * Every event with `start <= key < end` and a revision of at least `fromRevision`, in order and in batches: first past events, then new
   * ones as they happen. Throws `Compacted` when those from `fromRevision` on are no longer all there; of keys `withoutHistory` they are
   * forgotten sooner. Ends when the signal aborts or the store closes.
   */
  watch(start: string, end: string, fromRevision: number, options: WatchOptions): AsyncIterable<readonly StoreEvent[]>;
  /** Forgets events up to `revision`. Latest values stay. */
  compact(revision: number): Promise<void>;
  /** Also what `await using` does; closing twice is fine. */
  close(): Promise<void>;
}

/** What every backend is told when it is opened, beside its own options. */
export interface StoreSettings {
  readonly clock?: Clock;
  readonly log?: Log;
  /** Prefixes of keys whose past events nobody needs for long: a backend may forget them soon. */
  readonly withoutHistory?: readonly string[];
  /** Opens a store although acknowledged writes are missing, instead of refusing it. */
  readonly acceptDataLoss?: boolean;
}

/** STORE_COMPACTED: a watch asked for events that are forgotten. Those after `floor` are still there. */
export class Compacted extends KnownError {
  readonly floor: number;

  constructor(asked: number, floor: number) {
    super('STORE_COMPACTED', `Cannot watch from revision ${asked}: events up to ${floor} have been compacted`, {
      hint: 'read the range again and watch from its revision',
    });
    this.floor = floor;
  }
}

/** The end of the range that holds every key beginning with `prefix`, which is not empty and ends in an ASCII character such as `/`. */
export function prefixEnd(prefix: string): string {
  return `${prefix.slice(0, -1)}${String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)}`;
}
