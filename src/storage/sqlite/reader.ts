/** Reads of the latest values and of the log, on read-only connections of their own: in WAL mode they wait for no commit. */

import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { setImmediate as nextTick } from 'node:timers/promises';
import { Compacted, type RangeResult, type StoredRecord, type StoreEvent } from '../store.ts';
import type { EventHistory } from '../watch-hub.ts';
import { openForReading } from './schema.ts';

/** After so many milliseconds a range lets other work run first, then goes on within its snapshot. */
const sliceMs = 5;
/** How many idle connections are kept for ranges. */
const idleConnections = 2;
/** Revisions that one page of history spans, and bytes after which it ends sooner. */
const historyPage = 1_000;
const historyBytes = 4 << 20;

interface Row {
  readonly key: string;
  readonly created: number;
  readonly modified: number;
  readonly value: Uint8Array;
}

interface LogRow {
  readonly revision: number;
  readonly key: string;
  readonly created: number | null;
  readonly prev_created: number | null;
  readonly prev_modified: number | null;
  readonly previous: Uint8Array | null;
  readonly after: Uint8Array | null;
}

const eventsQuery = `
  SELECT revision, key, created, prev_created, prev_modified, previous, CASE WHEN created IS NULL THEN NULL ELSE coalesce(
    (SELECT n.previous FROM log n WHERE n.key = l.key AND n.revision > l.revision ORDER BY n.revision LIMIT 1),
    (SELECT value FROM records r WHERE r.key = l.key)) END AS after
  FROM log l`;

class Connection {
  readonly db: DatabaseSync;
  readonly state: StatementSync;
  readonly get: StatementSync;
  readonly range: StatementSync;
  readonly count: StatementSync;
  readonly history: StatementSync;

  constructor(path: string) {
    this.db = openForReading(path);
    this.state = this.db.prepare('SELECT revision, compacted FROM state');
    this.get = this.db.prepare('SELECT key, created, modified, value FROM records WHERE key = ?');
    this.range = this.db.prepare('SELECT key, created, modified, value FROM records WHERE key >= ? AND key < ? ORDER BY key LIMIT ?');
    this.count = this.db.prepare('SELECT count(*) AS n FROM records WHERE key >= ? AND key < ?');
    this.history = this.db.prepare(`${eventsQuery} WHERE revision BETWEEN ? AND ? AND key >= ? AND key < ? ORDER BY revision`);
  }
}

export class Reader implements EventHistory {
  readonly #path: string;
  readonly #withoutHistory: readonly { readonly start: string; readonly end: string }[];
  readonly #main: Connection;
  readonly #idle: Connection[] = [];
  #closed = false;

  constructor(path: string, withoutHistory: readonly { readonly start: string; readonly end: string }[]) {
    this.#path = path;
    this.#withoutHistory = withoutHistory;
    this.#main = new Connection(path);
  }

  revision(): number {
    return (this.#main.state.get() as { revision: number }).revision;
  }

  get(key: string): StoredRecord | undefined {
    const row = this.#main.get.get(key) as Row | undefined;
    return row && recordOf(row);
  }

  async range(start: string, end: string, limit: number | undefined): Promise<RangeResult> {
    const connection = this.#idle.pop() ?? new Connection(this.#path);
    let whole = false;
    try {
      connection.db.exec('BEGIN');
      const { revision } = connection.state.get() as { revision: number };
      const records: StoredRecord[] = [];
      let since = performance.now();
      for (const row of connection.range.iterate(start, end, limit ?? -1)) {
        records.push(recordOf(row as unknown as Row));
        if (records.length % 64 === 0 && performance.now() - since > sliceMs) {
          await nextTick();
          since = performance.now();
        }
      }
      const count = limit === undefined || records.length < limit ? records.length : (connection.count.get(start, end) as { n: number }).n;
      connection.db.exec('COMMIT');
      whole = true;
      return { records, revision, more: records.length < count, count };
    } finally {
      if (whole && this.#idle.length < idleConnections && !this.#closed) this.#idle.push(connection);
      else connection.db.close();
    }
  }

  async read(
    start: string,
    end: string,
    from: number,
    to: number,
  ): Promise<{ readonly events: readonly StoreEvent[]; readonly next: number }> {
    if (this.#hasNoHistory(start, end)) throw new Compacted(from, to);
    const { db, state, history } = this.#main;
    const last = Math.min(to, from + historyPage - 1);
    db.exec('BEGIN');
    try {
      const floor = (state.get() as { compacted: number }).compacted;
      if (from <= floor) throw new Compacted(from, floor);
      const events: StoreEvent[] = [];
      let size = 0;
      for (const row of history.iterate(from, last, start, end) as Iterable<unknown>) {
        const event = eventOf(row as LogRow);
        events.push(event);
        size += (event.kind === 'put' ? event.record.value.length : 0) + (event.previous?.value.length ?? 0);
        if (size > historyBytes) return { events, next: event.revision + 1 };
      }
      return { events, next: last + 1 };
    } finally {
      db.exec('COMMIT');
    }
  }

  #hasNoHistory(start: string, end: string): boolean {
    return this.#withoutHistory.some((range) => start < range.end && range.start < end);
  }

  close(): void {
    this.#closed = true;
    this.#main.db.close();
    for (const connection of this.#idle) connection.db.close();
  }
}

function recordOf(row: Row): StoredRecord {
  return { key: row.key, value: row.value, createRevision: row.created, modRevision: row.modified };
}

function eventOf(row: LogRow): StoreEvent {
  const { revision, key } = row;
  const previous: StoredRecord | undefined =
    row.prev_modified === null
      ? undefined
      : { key, value: row.previous!, createRevision: row.prev_created!, modRevision: row.prev_modified };
  if (row.created === null) return { kind: 'delete', revision, key, previous };
  return { kind: 'put', revision, record: { key, value: row.after!, createRevision: row.created, modRevision: revision }, previous };
}
