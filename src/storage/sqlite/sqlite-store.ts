/** The store in one SQLite file: threads of their own write and copy the log, this one reads. See README.md. */
import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type Clock, systemClock } from '../../clock/clock.ts';
import type { ErrorCode } from '../../errors/codes.ts';
import { isKnownError, KnownError, messageOf } from '../../errors/known-error.ts';
import { type Log, silentLog } from '../../observability/log.ts';
import { EventWindow } from '../event-window.ts';
import { ExpiryTimer } from '../expiry-timer.ts';
import {
  type Companion,
  type DeleteOptions,
  type PutOptions,
  prefixEnd,
  type RangeResult,
  type Store,
  type StoredRecord,
  type StoreEvent,
  type StoreSettings,
  type WatchOptions,
  type WriteResult,
} from '../store.ts';
import { WatchHub } from '../watch-hub.ts';
import { admit, type Forgiven } from './admit.ts';
import { Checkpoints } from './checkpoints.ts';
import { lockStore, type StoreLock } from './lock.ts';
import { makeFolder, makeWhenMissing } from './make-store.ts';
import type { Before, Failed, FromWriter, StoreLimits, ToWriter, WriteOp, WriteReply, WriterData } from './protocol.ts';
import { Reader } from './reader.ts';
import { diskHint, failed } from './sqlite-error.ts';

/** Events of keys `withoutHistory` are kept in memory alone: watches of them start no further back. */
export interface SqliteStoreOptions extends StoreSettings {
  /** Bounds of the event log in the file. */
  readonly maxLogEvents?: number | undefined;
  readonly maxLogBytes?: number | undefined;
  /** Bounds of the newest events kept in memory. */
  readonly maxWindowEvents?: number;
  readonly maxWindowBytes?: number;
  /** The file may not grow beyond so many pages of 4 KiB. */
  readonly maxPages?: number;
  /** Bytes that are kept for deletes on a full disk; none by default. Half of them in the log begin a checkpoint. */
  readonly reserveBytes?: number;
  /** How long a commit may lie in the write-ahead log alone, in milliseconds. */
  readonly checkpointAgeMs?: number;
}

/** How long to wait before expired records that could not be deleted are tried again. */
const retryMs = 10_000;

/** An operation on its way. `settle` gets the reply and gives the events to send. */
interface Pending {
  settle(reply: Exclude<WriteReply, Failed>): readonly StoreEvent[];
  reject(err: Error): void;
}

/**
 * Opens the store at `path`, and makes file and folder when they are missing. Throws STORE_IN_USE when it is open already, here or in another
 * process, STORE_CORRUPT when the file is no store or acknowledged writes are missing, STORE_READ_ONLY or STORE_IO when the disk cannot be written.
 */
export async function openSqliteStore(path: string, options: SqliteStoreOptions = {}): Promise<Store> {
  let lock: StoreLock | undefined;
  try {
    makeFolder(dirname(path));
    lock = lockStore(path);
    const made = await makeWhenMissing(path);
    // SQLite gives -wal and -shm the mode of the file itself.
    chmodSync(path, 0o600);
    const forgiven = made ? undefined : admit(path, options.acceptDataLoss ?? false, options.log ?? silentLog);
    return await SqliteStore.open(path, lock, forgiven, options);
  } catch (err) {
    lock?.release();
    throw isKnownError(err) ? err : failed('open', path, err);
  }
}

class SqliteStore implements Store {
  readonly #path: string;
  readonly #lock: StoreLock;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #writer: Worker;
  readonly #checkpoints: Checkpoints;
  readonly #reader: Reader;
  readonly #hub: WatchHub;
  readonly #window: EventWindow;
  readonly #timer: ExpiryTimer;
  #pending: Pending[] = [];
  #outbox: WriteOp[] = [];
  #closing: Promise<void> | undefined;
  #broken: KnownError | undefined;
  #checkpointFailed = false;

  static async open(path: string, lock: StoreLock, forgiven: Forgiven | undefined, options: SqliteStoreOptions): Promise<SqliteStore> {
    const limits: StoreLimits = {
      withoutHistory: options.withoutHistory ?? [],
      maxLogEvents: options.maxLogEvents ?? 32_768,
      maxLogBytes: options.maxLogBytes ?? 64 << 20,
      maxPages: options.maxPages,
      reserveBytes: options.reserveBytes ?? 0,
      checkpointAgeMs: options.checkpointAgeMs ?? 60_000,
    };
    const workerData: WriterData = { path, limits, forgiven };
    const writer = new Worker(new URL('./writer.ts', import.meta.url), { workerData });
    const [first] = (await once(writer, 'message')) as [FromWriter];
    if (first.kind !== 'open') {
      const { code, message } = first as FromWriter & { kind: 'open-failed' };
      throw new KnownError(code, `Cannot open store "${path}": ${message}`, diskHint(code, path));
    }
    return new SqliteStore(path, lock, writer, limits, options, first);
  }

  private constructor(
    path: string,
    lock: StoreLock,
    writer: Worker,
    limits: StoreLimits,
    options: SqliteStoreOptions,
    opened: FromWriter & { kind: 'open' },
  ) {
    this.#path = path;
    this.#lock = lock;
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? silentLog;
    this.#reader = new Reader(
      path,
      limits.withoutHistory.map((prefix) => ({ start: prefix, end: prefixEnd(prefix) })),
    );
    this.#window = new EventWindow(opened.revision, {
      maxEvents: options.maxWindowEvents ?? 8_192,
      maxBytes: options.maxWindowBytes ?? 8 << 20,
    });
    this.#hub = new WatchHub(this.#window, this.#reader);
    this.#timer = new ExpiryTimer(this.#clock, () => this.#expire());
    if (opened.nextExpiry !== undefined) this.#timer.expect(opened.nextExpiry);
    this.#writer = writer;
    writer.on('message', (message: FromWriter) => this.#onReplies(message as FromWriter & { kind: 'replies' }));
    writer.on('error', (err) => this.#break(err));
    this.#checkpoints = new Checkpoints(path, {
      done: () => {
        this.#checkpointFailed = false;
        this.#tell({ kind: 'finish-checkpoint' });
      },
      failed: (error) => {
        // Logged once: on a full disk each commit asks for a checkpoint, and each fails.
        if (!this.#checkpointFailed) this.#log.warn('cannot checkpoint the store', { path, error });
        this.#checkpointFailed = true;
      },
    });
  }

  revision(): Promise<number> {
    return this.#read(() => this.#reader.revision());
  }

  get(key: string): Promise<StoredRecord | undefined> {
    return this.#read(() => this.#reader.get(key));
  }

  range(start: string, end: string, options: { readonly limit?: number } = {}): Promise<RangeResult> {
    return this.#read(() => this.#reader.range(start, end, options.limit));
  }

  put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<WriteResult> {
    const value = ownBuffer(bytes);
    const expiresAt = options.ttlSeconds === undefined ? undefined : this.#clock.now() + options.ttlSeconds * 1000;
    const alongside = (options.alongside ?? []).map((one) => ('value' in one ? { key: one.key, value: ownBuffer(one.value) } : one));
    const { ifRevision, provided = [] } = options;
    return this.#write<WriteResult>({ kind: 'put', key, value, ifRevision, expiresAt, alongside, provided }, (reply, resolve) => {
      if (reply.kind !== 'written') return this.#refuse(key, reply, resolve);
      const { revision, before, others } = reply;
      const record: StoredRecord = { key, value, createRevision: before?.created ?? revision, modRevision: revision };
      if (expiresAt !== undefined) this.#timer.expect(expiresAt);
      resolve({ ok: true, record });
      return [{ kind: 'put', revision, record, previous: before && recordOf(key, before) }, ...companions(alongside, revision, others)];
    });
  }

  delete(key: string, { ifRevision, alongside = [], provided = [] }: DeleteOptions = {}): Promise<WriteResult> {
    return this.#write<WriteResult>({ kind: 'delete', key, ifRevision, alongside, provided }, (reply, resolve) => {
      if (reply.kind !== 'written') return this.#refuse(key, reply, resolve);
      const { revision, before, others } = reply;
      const previous = recordOf(key, before!);
      resolve({ ok: true, record: { ...previous, modRevision: revision } });
      return [{ kind: 'delete', revision, key, previous }, ...companions(alongside, revision, others)];
    });
  }

  watch(start: string, end: string, fromRevision: number, options: WatchOptions): AsyncIterable<readonly StoreEvent[]> {
    return this.#hub.watch(start, end, fromRevision, options);
  }

  compact(revision: number): Promise<void> {
    return this.#write<void>({ kind: 'compact', revision }, (reply, resolve) => {
      this.#window.drop((reply as WriteReply & { kind: 'compacted' }).revision);
      resolve();
      return [];
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#timer.stop();
    this.#hub.close();
    try {
      // The writer closes last: the last connection of a file copies the rest of the WAL and removes it.
      await this.#checkpoints.close();
      this.#reader.close();
      if (!this.#broken) {
        const writer = once(this.#writer, 'exit');
        this.#flush();
        this.#tell({ kind: 'close' });
        await writer;
      }
    } finally {
      // Also when a thread dies on the way: the file must not stay locked for as long as this process lives.
      await this.#writer.terminate();
      this.#lock.release();
    }
  }

  async #read<T>(what: () => T | Promise<T>): Promise<T> {
    this.#mustBeOpen();
    try {
      return await what();
    } catch (err) {
      throw isKnownError(err) ? err : failed('read', this.#path, err);
    }
  }

  #write<T>(op: WriteOp, settle: (reply: Exclude<WriteReply, Failed>, resolve: (value: T) => void) => readonly StoreEvent[]): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#mustBeOpen();
      this.#pending.push({ settle: (reply) => settle(reply, resolve), reject });
      // All writes of one turn of the event loop go to the writer in one message. Microtasks run after every request of a turn.
      if (this.#outbox.push(op) === 1) setImmediate(() => this.#flush());
    });
  }

  #flush(): void {
    if (this.#outbox.length === 0) return;
    this.#tell({ kind: 'write', ops: this.#outbox });
    this.#outbox = [];
  }

  #tell(message: ToWriter): void {
    this.#writer.postMessage(message);
  }

  #onReplies({ replies, checkpointWanted }: FromWriter & { kind: 'replies' }): void {
    const events: StoreEvent[] = [];
    const settled = this.#pending.splice(0, replies.length);
    for (const [i, reply] of replies.entries()) {
      const pending = settled[i]!;
      if (reply.kind === 'failed') pending.reject(this.#failure(reply.code, reply.message));
      else events.push(...pending.settle(reply));
    }
    this.#hub.publish(events);
    if (checkpointWanted) this.#checkpoints.want();
  }

  #refuse(key: string, reply: Exclude<WriteReply, Failed>, resolve: (result: WriteResult) => void): readonly StoreEvent[] {
    const { current, taken } = reply as WriteReply & { kind: 'refused' };
    resolve({ ok: false, current: current && recordOf(key, current), ...(taken === undefined ? {} : { taken }) });
    return [];
  }

  #expire(): void {
    if (this.#closing || this.#broken) return;
    this.#write<void>({ kind: 'expire', now: this.#clock.now() }, (reply, resolve) => {
      const { deletions, nextExpiry } = reply as WriteReply & { kind: 'expired' };
      if (nextExpiry !== undefined) this.#timer.expect(nextExpiry);
      resolve();
      return deletions.map(({ key, revision, before }) => ({ kind: 'delete', revision, key, previous: recordOf(key, before) }));
    }).catch((err: Error) => {
      this.#log.warn('cannot delete expired records', { path: this.#path, error: err.message });
      this.#timer.expect(this.#clock.now() + retryMs);
    });
  }

  #failure(code: ErrorCode, message: string): KnownError {
    return new KnownError(code, `Cannot write to store "${this.#path}": ${message}`, diskHint(code, this.#path));
  }

  /** A thread has died: what was under way may or may not have been written. */
  #break(err: unknown): void {
    this.#broken ??= new KnownError('STORE_IO', `Cannot use store "${this.#path}": its thread ended: ${messageOf(err)}`, { cause: err });
    for (const pending of this.#pending.splice(0)) pending.reject(this.#broken);
    this.#hub.close();
    this.#log.error('a thread of the store ended', { path: this.#path, error: messageOf(err) });
  }

  #mustBeOpen(): void {
    if (this.#closing) throw new KnownError('STORE_CLOSED', `Cannot use store "${this.#path}": it was closed`);
    if (this.#broken) throw this.#broken;
  }
}

/** What was made and deleted alongside a write with that revision; `before` is what stood there. */
function companions(alongside: readonly Companion[], after: number, before: readonly (Before | undefined)[]): StoreEvent[] {
  return alongside.map((other, i) => {
    const { key } = other;
    const revision = after + 1 + i;
    if (!('value' in other)) return { kind: 'delete', revision, key, previous: recordOf(key, before[i]!) };
    const record = { key, value: other.value, createRevision: revision, modRevision: revision };
    return { kind: 'put', revision, record, previous: undefined };
  });
}

function recordOf(key: string, before: Before): StoredRecord {
  return { key, value: before.value, createRevision: before.created, modRevision: before.modified };
}

/** Sent to the other thread, a view into a larger buffer, such as Node's pool, would take all of that along. */
function ownBuffer(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
}
