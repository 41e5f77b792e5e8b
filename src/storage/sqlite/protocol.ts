/** The messages between the store's thread and the writer's. Replies come in the order of the operations. */
import type { ErrorCode } from '../../errors/codes.ts';
import type { Companion, OldRecord, Proviso } from '../store.ts';
import type { Forgiven } from './admit.ts';

export type WriteOp =
  | {
      readonly kind: 'put';
      readonly key: string;
      readonly value: Uint8Array;
      readonly ifRevision: number | undefined;
      /** Milliseconds since the epoch. */
      readonly expiresAt: number | undefined;
      readonly alongside: readonly Companion[];
      readonly provided: readonly Proviso[];
    }
  | {
      readonly kind: 'delete';
      readonly key: string;
      readonly ifRevision: number | undefined;
      readonly alongside: readonly OldRecord[];
      readonly provided: readonly Proviso[];
    }
  /** Deletes what has expired by `now`. */
  | { readonly kind: 'expire'; readonly now: number }
  | { readonly kind: 'compact'; readonly revision: number };

/** A record as it stood before a write. */
export interface Before {
  readonly value: Uint8Array;
  readonly created: number;
  readonly modified: number;
}

export type WriteReply =
  | {
      readonly kind: 'written';
      readonly revision: number;
      readonly before: Before | undefined;
      /** What stood at the keys alongside. Their revisions follow that of the write. */
      readonly others: readonly (Before | undefined)[];
    }
  | { readonly kind: 'refused'; readonly current: Before | undefined; readonly taken?: string }
  | { readonly kind: 'expired'; readonly deletions: readonly Deletion[]; readonly nextExpiry: number | undefined }
  | { readonly kind: 'compacted'; readonly revision: number }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string };

/** The operation changed nothing. */
export type Failed = WriteReply & { readonly kind: 'failed' };

export interface Deletion {
  readonly key: string;
  readonly revision: number;
  readonly before: Before;
}

export interface WriterData {
  readonly path: string;
  readonly limits: StoreLimits;
  /** Set when the store is opened although acknowledged writes are missing. */
  readonly forgiven: Forgiven | undefined;
}

export interface StoreLimits {
  /** Prefixes whose history is not written down. */
  readonly withoutHistory: readonly string[];
  readonly maxLogEvents: number;
  readonly maxLogBytes: number;
  /** The file may not grow beyond so many pages of 4 KiB. */
  readonly maxPages: number | undefined;
  /** Bytes of the disk that are kept for deletes. */
  readonly reserveBytes: number;
  /** How long a commit may lie in the write-ahead log alone, in milliseconds. */
  readonly checkpointAgeMs: number;
}

export type ToWriter =
  | { readonly kind: 'write'; readonly ops: readonly WriteOp[] }
  /** Copy what is left of the WAL into the file, so that the WAL starts again. */
  | { readonly kind: 'finish-checkpoint' }
  | { readonly kind: 'close' };

export type FromWriter =
  | { readonly kind: 'open'; readonly revision: number; readonly nextExpiry: number | undefined }
  | { readonly kind: 'open-failed'; readonly code: ErrorCode; readonly message: string }
  | { readonly kind: 'replies'; readonly replies: readonly WriteReply[]; readonly checkpointWanted: boolean };
