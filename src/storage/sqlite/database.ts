/** The tables as the writer's thread sees them: applies operations, a group of them per commit. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { type Companion, type NewRecord, type Proviso, revisionAsked } from '../store.ts';
import { HighWater } from './high-water.ts';
import type { StoreState } from './loss.ts';
import { makeMark } from './mark-file.ts';
import type { Before, Deletion, Failed, StoreLimits, WriteOp, WriteReply, WriterData } from './protocol.ts';
import { Reserve } from './reserve.ts';
import { goOnWithout, openForWriting } from './schema.ts';
import { classify } from './sqlite-error.ts';

/** Log rows that one commit trims at most: trimming is spread out so that no commit is held up by it. */
const trimRows = 256;
/** Expired records deleted per operation; more are left to the next one. */
const expireRows = 500;
/** About how many bytes a log row takes besides its value. */
const rowBytes = 150;
/** Bytes by which an update may grow on a full disk: to delete an object often begins with an update, and Leases are renewed by one. */
const growth = 1_024;
/** So many pages in the write-ahead log want a checkpoint: 16 MB. */
const defaultCheckpointPages = 4_096;
/** On a full disk the write-ahead log is copied and begun anew after so many frames of 4 KiB. */
const fullFrames = 64;
/** Events that the log keeps on a full disk. Watches that keep up read from memory; the values in older events take room that deletes need. */
const fullEvents = 100;

const noRoom: Failed = { kind: 'failed', code: 'STORE_FULL', message: 'the disk is full; what room is left is kept for deletes' };

/** What a commit changes besides the tables; a commit that fails changes none of it. */
interface Counts {
  revision: number;
  /** Events up to this revision are gone from the log. */
  compacted: number;
  commits: number;
  logEvents: number;
  logBytes: number;
}

type PutOp = WriteOp & { readonly kind: 'put' };

interface RecordRow {
  readonly id: number;
  readonly created: number;
  readonly modified: number;
  readonly value: Uint8Array;
}

export class Database {
  readonly #db: DatabaseSync;
  readonly #limits: StoreLimits;
  readonly #cluster: string;
  readonly #water: HighWater;
  readonly #reserve: Reserve;
  readonly #sql: Record<
    | 'free'
    | 'get'
    | 'modified'
    | 'insert'
    | 'update'
    | 'remove'
    | 'log'
    | 'logSize'
    | 'due'
    | 'next'
    | 'oldest'
    | 'trim'
    | 'state'
    | 'setState',
    StatementSync
  >;
  #counts: Counts;

  constructor({ path, limits, forgiven }: WriterData) {
    this.#db = openForWriting(path, limits.maxPages);
    if (forgiven) {
      goOnWithout(this.#db, forgiven);
      makeMark(path);
    }
    this.#limits = limits;
    const prepare = (sql: string): StatementSync => this.#db.prepare(sql);
    this.#sql = {
      free: prepare('PRAGMA freelist_count'),
      modified: prepare('SELECT modified FROM records WHERE key = ?'),
      get: prepare('SELECT id, created, modified, value FROM records WHERE key = ?'),
      insert: prepare('INSERT INTO records (key, created, modified, expires, value) VALUES (?, ?, ?, ?, ?)'),
      update: prepare('UPDATE records SET modified = ?, expires = ?, value = ? WHERE id = ?'),
      remove: prepare('DELETE FROM records WHERE id = ?'),
      log: prepare('INSERT INTO log VALUES (?, ?, ?, ?, ?, ?)'),
      logSize: prepare('SELECT count(*) AS n, coalesce(sum(length(previous)), 0) AS bytes FROM log'),
      due: prepare(`SELECT key FROM records WHERE expires <= ? ORDER BY expires LIMIT ${expireRows}`),
      next: prepare('SELECT min(expires) AS at FROM records WHERE expires IS NOT NULL'),
      oldest: prepare('SELECT revision, coalesce(length(previous), 0) AS bytes FROM log ORDER BY revision LIMIT ?'),
      trim: prepare('DELETE FROM log WHERE revision <= ?'),
      state: prepare('SELECT revision, compacted, cluster, commits FROM state'),
      setState: prepare('UPDATE state SET revision = ?, compacted = ?, commits = ?'),
    };
    const { cluster, ...counts } = this.#sql.state.get() as unknown as StoreState & { readonly compacted: number };
    this.#cluster = cluster;
    this.#counts = { ...counts, ...this.#logSize() };
    this.#water = new HighWater(this.#db, path);
    this.#water.raise(this.#state);
    this.#reserve = new Reserve(path, limits.reserveBytes);
  }

  get #state(): StoreState {
    return { cluster: this.#cluster, revision: this.#counts.revision, commits: this.#counts.commits };
  }

  get revision(): number {
    return this.#counts.revision;
  }

  /**
   * So many pages in the write-ahead log want a checkpoint. On a disk that fills up, the log can reach twice as many before it finds no room.
   * The reserve must have room for copying all of them into the file: only after that can the log's own room be used again.
   */
  get checkpointPages(): number {
    return this.#reserve.bytes === 0
      ? defaultCheckpointPages
      : Math.min(defaultCheckpointPages, Math.floor(this.#reserve.bytes / 4_096 / 2));
  }

  /** Pages of 4 KiB in the write-ahead log that no checkpoint has seen yet. */
  get uncopied(): number {
    return this.#water.uncopied;
  }

  /** When the next record expires, in milliseconds since the epoch. */
  nextExpiry(): number | undefined {
    return (this.#sql.next.get() as { at: number | null }).at ?? undefined;
  }

  /** Applies the operations in one commit, which is on the disk when this returns. If it fails, each operation is tried alone. */
  commit(ops: readonly WriteOp[]): WriteReply[] {
    if (!this.#reserve.whole) this.#regain();
    try {
      return this.#transaction(ops);
    } catch (err) {
      // One value without room must not take the others with it.
      return ops.length === 1 ? [this.#again(ops[0]!, classify(err))] : ops.flatMap((op) => this.commit([op]));
    }
  }

  /** Copies the rest of the WAL into the file without waiting for anybody; true when nothing is left. */
  checkpoint(): boolean {
    return this.#water.checkpoint(this.#state);
  }

  close(): void {
    this.#water.close(this.#state);
  }

  /** On a full disk, an operation that does not make the store larger is tried again: with the room of the log, then with the reserve. */
  #again(op: WriteOp, failure: Omit<Failed, 'kind'>): WriteReply {
    if (failure.code === 'STORE_FULL' && !this.#grows(op)) {
      for (const makeRoom of [() => this.#tryCheckpoint(), () => this.#reserve.giveUp()]) {
        if (!makeRoom()) continue;
        try {
          return this.#transaction([op])[0]!;
        } catch {
          // Try the other room; after that the first failure is the answer.
        }
      }
    }
    return { kind: 'failed', ...failure };
  }

  #grows(op: WriteOp): boolean {
    return op.kind === 'put' && grows(op, this.#sql.get.get(op.key) as RecordRow | undefined);
  }

  /** While there is no reserve, keeps the log short, so that its room can be used again, and makes the reserve once there is room. */
  #regain(): void {
    if (this.#water.uncopied > fullFrames && this.#tryCheckpoint()) this.#water.truncateLog();
    this.#reserve.regain();
    if (this.#reserve.whole || this.#counts.logEvents < 2 * fullEvents) return;
    try {
      this.#transaction([{ kind: 'compact', revision: this.#counts.revision - fullEvents }]);
    } catch {
      // No room for that either: it is tried again after the next checkpoint.
    }
  }

  /** Whether the free pages inside the file hold a value, with as much again for the pages around it. */
  #fits(bytes: number): boolean {
    const { freelist_count: pages } = this.#sql.free.get() as { freelist_count: number };
    return pages * 4_096 > 2 * bytes + (fullFrames * 4_096) / 2;
  }

  #tryCheckpoint(): boolean {
    try {
      return this.checkpoint();
    } catch {
      return false;
    }
  }

  #transaction(ops: readonly WriteOp[]): WriteReply[] {
    const before = { ...this.#counts };
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const replies = ops.map((op) => this.#apply(op));
      const counts = this.#counts;
      if (counts.revision !== before.revision) this.#trim();
      const changed = counts.revision !== before.revision || counts.compacted !== before.compacted;
      if (changed) this.#sql.setState.run(counts.revision, counts.compacted, ++counts.commits);
      this.#db.exec('COMMIT');
      if (changed) this.#water.raise(this.#state);
      return replies;
    } catch (err) {
      this.#counts = before;
      // SQLite rolls back by itself on some errors (SQLITE_FULL, SQLITE_IOERR); a second ROLLBACK would be an error of its own.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw err;
    }
  }

  #apply(op: WriteOp): WriteReply {
    switch (op.kind) {
      case 'put':
        return this.#put(op);
      case 'delete': {
        const row = this.#sql.get.get(op.key) as RecordRow | undefined;
        if (!row || (op.ifRevision !== undefined && op.ifRevision !== row.modified))
          return { kind: 'refused', current: row && beforeOf(row) };
        const taken = this.#inTheWay([...op.alongside, ...op.provided]);
        if (taken) return { kind: 'refused', current: beforeOf(row), taken: taken.key };
        const revision = this.#delete(op.key, row);
        return { kind: 'written', revision, before: beforeOf(row), others: this.#accompany(op.alongside) };
      }
      case 'expire':
        return this.#expire(op.now);
      case 'compact': {
        const revision = Math.min(op.revision, this.#counts.revision);
        if (revision > this.#counts.compacted) {
          this.#sql.trim.run(revision);
          Object.assign(this.#counts, this.#logSize(), { compacted: revision });
        }
        return { kind: 'compacted', revision };
      }
    }
  }

  #put(op: PutOp): WriteReply {
    const row = this.#sql.get.get(op.key) as RecordRow | undefined;
    if (op.ifRevision !== undefined && op.ifRevision !== (row?.modified ?? 0)) return { kind: 'refused', current: row && beforeOf(row) };
    const taken = this.#inTheWay([...op.alongside, ...op.provided]);
    if (taken) return { kind: 'refused', current: row && beforeOf(row), taken: taken.key };
    if (!this.#reserve.whole && grows(op, row) && !this.#fits(bytesOf(op))) return noRoom;
    const revision = this.#place(op, row, op.expiresAt ?? null);
    return { kind: 'written', revision, before: row && beforeOf(row), others: this.#accompany(op.alongside) };
  }

  #inTheWay(others: readonly (Companion | Proviso)[]): Companion | Proviso | undefined {
    return others.find((other) => {
      const row = this.#sql.modified.get(other.key) as Pick<RecordRow, 'modified'> | undefined;
      return (row?.modified ?? 0) !== revisionAsked(other);
    });
  }

  #accompany(alongside: readonly Companion[]): (Before | undefined)[] {
    return alongside.map((other) => {
      if ('value' in other) {
        this.#place(other, undefined, null);
        return undefined;
      }
      const row = this.#sql.get.get(other.key) as unknown as RecordRow;
      this.#delete(other.key, row);
      return beforeOf(row);
    });
  }

  #place({ key, value }: NewRecord, row: RecordRow | undefined, expires: number | null): number {
    const revision = ++this.#counts.revision;
    if (row) this.#sql.update.run(revision, expires, value, row.id);
    else this.#sql.insert.run(key, revision, revision, expires, value);
    this.#log(revision, key, row?.created ?? revision, row);
    return revision;
  }

  #delete(key: string, row: RecordRow): number {
    const revision = ++this.#counts.revision;
    this.#sql.remove.run(row.id);
    this.#log(revision, key, null, row);
    return revision;
  }

  #expire(now: number): WriteReply {
    const deletions: Deletion[] = [];
    for (const { key } of this.#sql.due.all(now) as { key: string }[]) {
      const row = this.#sql.get.get(key) as unknown as RecordRow;
      deletions.push({ key, revision: this.#delete(key, row), before: beforeOf(row) });
    }
    return { kind: 'expired', deletions, nextExpiry: this.nextExpiry() };
  }

  #log(revision: number, key: string, created: number | null, row: RecordRow | undefined): void {
    const bytes = row?.value.length ?? 0;
    if (this.#limits.withoutHistory.some((prefix) => key.startsWith(prefix))) return;
    this.#sql.log.run(revision, key, created, row?.created ?? null, row?.modified ?? null, row?.value ?? null);
    this.#counts.logEvents++;
    this.#counts.logBytes += bytes + rowBytes;
  }

  #logSize(): Pick<Counts, 'logEvents' | 'logBytes'> {
    const { n, bytes } = this.#sql.logSize.get() as { n: number; bytes: number };
    return { logEvents: n, logBytes: bytes + n * rowBytes };
  }

  /** Keeps the log within its limits, a piece at a time. */
  #trim(): void {
    const { maxLogEvents, maxLogBytes } = this.#limits;
    const counts = this.#counts;
    if (counts.logEvents <= maxLogEvents + trimRows && counts.logBytes <= maxLogBytes) return;
    for (const row of this.#sql.oldest.all(trimRows) as { revision: number; bytes: number }[]) {
      if (counts.logEvents <= maxLogEvents && counts.logBytes <= maxLogBytes) break;
      counts.compacted = row.revision;
      counts.logEvents--;
      counts.logBytes -= row.bytes + rowBytes;
    }
    this.#sql.trim.run(counts.compacted);
  }
}

/** Whether a write makes the store larger. Updates that grow by a little do not count. */
function grows(put: PutOp, row: RecordRow | undefined): boolean {
  return !row || bytesOf(put) > row.value.length + growth;
}

function bytesOf({ value, alongside }: PutOp): number {
  return alongside.reduce((sum, other) => sum + ('value' in other ? other.value.length : 0), value.length);
}

function beforeOf(row: RecordRow): Before {
  return { value: row.value, created: row.created, modified: row.modified };
}
