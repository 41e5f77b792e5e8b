/** What a store holds at one moment, as one engine gives it and another takes it: a snapshot is one in a file. */
import type { StoredRecord } from './store.ts';

export interface ImageRecord extends StoredRecord {
  /** When the store deletes it, in milliseconds since the epoch. */
  readonly expiresAt: number | undefined;
}

export interface StoreImage extends AsyncDisposable {
  /** The kind of store that it is of, such as `sqlite`. */
  readonly engine: string;
  /** Identity of that store. */
  readonly cluster: string;
  readonly revision: number;
  /** All records, in the order of their `modRevision`. */
  records(): AsyncIterable<ImageRecord>;
  /** Whether nothing was written to that store since. */
  isCurrent(): Promise<boolean>;
}

/** What became of a store that was filled with an image. */
export interface Filled {
  readonly revision: number;
  /** Whether the records have the revisions that they had. */
  readonly keepsRevisions: boolean;
}
