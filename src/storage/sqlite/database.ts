/** The tables as the writer's thread sees them: applies operations, a group of them per commit. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
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
/** Bytes that a log row takes beside its value, about. */
const rowBytes = 150;
/** What a value may grow by while the disk is full: objects are marked for deletion, and Leases renewed, by writing them. */
const growth = 1_024;
/** Pages of the log after which it should be copied into the file: 16 MB. */
const defaultCheckpointPages = 4_096;
/** Frames of the log, 4 KiB each, after which it is copied and begun anew while the disk is full. */
const fullFrames = 64;
/** Events of the past that are kept while the disk is full: those who follow read them from memory, and deleted values must make room. */
const fullEvents = 100;

const noRoom: Failed = { kind: 'failed', code: 'STORE_FULL', message: 'the disk is full; what room is left is kept for deletes' };

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
    'free' | 'get' | 'insert' | 'update' | 'remove' | 'log' | 'logSize' | 'due' | 'next' | 'oldest' | 'trim' | 'state' | 'setState',
    StatementSync
  >;
  #revision: number;
  #compacted: number;
  #logEvents = 0;
  #logBytes = 0;
  #commits: number;

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
    const state = this.#sql.state.get() as { revision: number; compacted: number; cluster: string; commits: number };
    this.#revision = state.revision;
    this.#compacted = state.compacted;
    this.#cluster = state.cluster;
    this.#commits = state.commits;
    this.#measureLog();
    this.#water = new HighWater(this.#db, path);
    this.#water.raise(this.#state);
    this.#reserve = new Reserve(path, limits.reserveBytes);
  }

  get #state(): StoreState {
    return { cluster: this.#cluster, revision: this.#revision, commits: this.#commits };
  }

  get revision(): number {
    return this.#revision;
  }

  /**
   * So many pages in the log want a checkpoint. On a disk that fills up the log may come to twice as many before there is no room at all, and
   * the reserve must hold what copying them adds to the file: only then can the log's room be used again.
   */
  get checkpointPages(): number {
    return this.#reserve.bytes === 0
      ? defaultCheckpointPages
      : Math.min(defaultCheckpointPages, Math.floor(this.#reserve.bytes / 4_096 / 2));
  }

  /** Pages of 4 KiB in the write-ahead log that no checkpoint has looked at yet. */
  get uncopied(): number {
    return this.#water.uncopied;
  }

  /** When the next record expires, in milliseconds since the epoch. */
  nextExpiry(): number | undefined {
    return (this.#sql.next.get() as { at: number | null }).at ?? undefined;
  }

  /** Applies the operations in one commit; the replies are true only once this returns. When that fails, each is tried on its own. */
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

  /** What makes the store no larger is tried again on a full disk, first in the room of the log, then in that which is kept for it. */
  #again(op: WriteOp, failure: Omit<Failed, 'kind'>): WriteReply {
    if (failure.code === 'STORE_FULL' && !this.#grows(op)) {
      for (const makeRoom of [() => this.#tryCheckpoint(), () => this.#reserve.giveUp()]) {
        if (!makeRoom()) continue;
        try {
          return this.#transaction([op])[0]!;
        } catch {
          // The next one, or the failure as it was.
        }
      }
    }
    return { kind: 'failed', ...failure };
  }

  #grows(op: WriteOp): boolean {
    return op.kind === 'put' && grows(op.value, this.#sql.get.get(op.key) as RecordRow | undefined);
  }

  /** While the reserve is given up the log stays short, for its room is used again and again. */
  #regain(): void {
    if (this.#water.uncopied > fullFrames && this.#tryCheckpoint()) this.#water.truncateLog();
    this.#reserve.regain();
    if (this.#reserve.whole || this.#logEvents < 2 * fullEvents) return;
    try {
      this.#transaction([{ kind: 'compact', revision: this.#revision - fullEvents }]);
    } catch {
      // No room for that either: after the next checkpoint.
    }
  }

  /** Whether a value finds room in what the file has free inside, with as much again for the pages around it. */
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
    const before = { ...this.#state, compacted: this.#compacted, logEvents: this.#logEvents, logBytes: this.#logBytes };
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const replies = ops.map((op) => this.#apply(op));
      if (this.#revision !== before.revision) this.#trim();
      const changed = this.#revision !== before.revision || this.#compacted !== before.compacted;
      if (changed) this.#sql.setState.run(this.#revision, this.#compacted, ++this.#commits);
      this.#db.exec('COMMIT');
      if (changed) this.#water.raise(this.#state);
      return replies;
    } catch (err) {
      this.#revision = before.revision;
      this.#commits = before.commits;
      this.#compacted = before.compacted;
      this.#logEvents = before.logEvents;
      this.#logBytes = before.logBytes;
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
        return { kind: 'written', revision: this.#delete(op.key, row), before: beforeOf(row) };
      }
      case 'expire':
        return this.#expire(op.now);
      case 'compact': {
        const revision = Math.min(op.revision, this.#revision);
        if (revision > this.#compacted) {
          this.#compacted = revision;
          this.#sql.trim.run(revision);
          this.#measureLog();
        }
        return { kind: 'compacted', revision };
      }
    }
  }

  #put(op: WriteOp & { kind: 'put' }): WriteReply {
    const row = this.#sql.get.get(op.key) as RecordRow | undefined;
    if (op.ifRevision !== undefined && op.ifRevision !== (row?.modified ?? 0)) return { kind: 'refused', current: row && beforeOf(row) };
    if (!this.#reserve.whole && grows(op.value, row) && !this.#fits(op.value.length)) return noRoom;
    const revision = ++this.#revision;
    const expires = op.expiresAt ?? null;
    if (row) this.#sql.update.run(revision, expires, op.value, row.id);
    else this.#sql.insert.run(op.key, revision, revision, expires, op.value);
    this.#log(revision, op.key, row?.created ?? revision, row);
    return { kind: 'written', revision, before: row && beforeOf(row) };
  }

  #delete(key: string, row: RecordRow): number {
    const revision = ++this.#revision;
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
    this.#logEvents++;
    this.#logBytes += bytes + rowBytes;
  }

  #measureLog(): void {
    const { n, bytes } = this.#sql.logSize.get() as { n: number; bytes: number };
    this.#logEvents = n;
    this.#logBytes = bytes + n * rowBytes;
  }

  /** Keeps the log within its limits, a piece at a time. */
  #trim(): void {
    const { maxLogEvents, maxLogBytes } = this.#limits;
    if (this.#logEvents <= maxLogEvents + trimRows && this.#logBytes <= maxLogBytes) return;
    let cut = this.#compacted;
    for (const row of this.#sql.oldest.all(trimRows) as { revision: number; bytes: number }[]) {
      if (this.#logEvents <= maxLogEvents && this.#logBytes <= maxLogBytes) break;
      cut = row.revision;
      this.#logEvents--;
      this.#logBytes -= row.bytes + rowBytes;
    }
    this.#sql.trim.run(cut);
    this.#compacted = cut;
  }
}

/** Whether a value makes the store larger; renewals and marks of deletion, which grow by a little, do not count. */
function grows(value: Uint8Array, row: RecordRow | undefined): boolean {
  return !row || value.length > row.value.length + growth;
}

function beforeOf(row: RecordRow): Before {
  return { value: row.value, created: row.created, modified: row.modified };
}
