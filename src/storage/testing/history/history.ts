/** What clients of a store did and saw, with times of one clock: what `check.ts` judges. */

/** A record as a client was told of it. */
export interface Seen {
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
}

/** From before the call until after the answer, in milliseconds of one monotonic clock. */
export interface Span {
  readonly began: number;
  readonly ended: number;
}

export interface Write extends Span {
  readonly kind: 'write';
  readonly key: string;
  /** No two writes put the same value; undefined deletes. */
  readonly value: string | undefined;
  readonly ifRevision: number | undefined;
  readonly outcome:
    | { readonly is: 'done'; readonly revision: number; readonly createRevision: number }
    | { readonly is: 'refused'; readonly found: Seen | undefined }
    /** The call failed, so nobody knows whether it was done. */
    | { readonly is: 'unknown' };
}

/** What stood at a key. */
export interface Read extends Span {
  readonly kind: 'read';
  readonly key: string;
  readonly found: Seen | undefined;
}

/** All records of the history's keys. */
export interface Range extends Span {
  readonly kind: 'range';
  readonly revision: number;
  readonly found: ReadonlyMap<string, Seen>;
}

export type Operation = Write | Read | Range;

export interface WatchedEvent {
  readonly revision: number;
  readonly key: string;
  /** Undefined: it was deleted. */
  readonly value: string | undefined;
  readonly createRevision: number | undefined;
  readonly previous: Seen | undefined;
  /** When it was seen. */
  readonly at: number;
}

/** Everything that one watcher was told, over all its watches. */
export interface Watched {
  readonly name: string;
  /** Whether it asked for this key. */
  covers(key: string): boolean;
  readonly events: readonly WatchedEvent[];
}

export interface History {
  /** The revision before the first write. */
  readonly base: number;
  readonly operations: readonly Operation[];
  /** The first one covers every key, and was told everything up to the end. */
  readonly watchers: readonly [Watched, ...Watched[]];
}
