/** The file's layout, and how a connection to it is opened. */
import { randomBytes } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import type { StoreState } from './loss.ts';

const applicationId = 0x464c4431; // "FLD1"
/** What this version writes; it reads older ones, too. */
export const fileFormat = 2;
/** The size to which a longer write-ahead log is cut when it begins anew. */
const logBytes = 32 << 20;
const revisionGap = 1_000_000;

/**
 * `records` holds the latest values. `log` is an undo log: an event's row carries what stood there *before* it, and the value after it is
 * found in the key's next row or in `records`. So a create costs one copy of the value instead of two, and cutting the log off at any
 * revision leaves the rest complete, `previous` included. `state` names the store and counts its commits, by which its high-water mark is held
 * against it.
 */
const tables = `
  CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL, compacted INTEGER NOT NULL,
    cluster TEXT NOT NULL DEFAULT '', commits INTEGER NOT NULL DEFAULT 0);
  INSERT OR IGNORE INTO state (id, revision, compacted) VALUES (1, 0, 0);
  CREATE TABLE IF NOT EXISTS records (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, created INTEGER NOT NULL, modified INTEGER NOT NULL, expires INTEGER, value BLOB NOT NULL);
  CREATE INDEX IF NOT EXISTS records_expires ON records (expires) WHERE expires IS NOT NULL;
  CREATE TABLE IF NOT EXISTS log (
    revision INTEGER PRIMARY KEY, key TEXT NOT NULL, created INTEGER, prev_created INTEGER, prev_modified INTEGER, previous BLOB);
  CREATE INDEX IF NOT EXISTS log_key ON log (key, revision);
`;
/** Makes format 2 of a file of format 1. */
const format2 = `
  ALTER TABLE state ADD COLUMN cluster TEXT NOT NULL DEFAULT '';
  ALTER TABLE state ADD COLUMN commits INTEGER NOT NULL DEFAULT 0;
`;

/** Opens the file for writing, makes the tables when they are missing, and refuses a file of another program or a newer format. */
export function openForWriting(path: string, maxPages: number | undefined): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: 5_000 });
  try {
    const { application_id: id } = db.prepare('PRAGMA application_id').get() as { application_id: number };
    const { user_version: format } = db.prepare('PRAGMA user_version').get() as { user_version: number };
    const { n } = db.prepare('SELECT count(*) AS n FROM sqlite_schema').get() as { n: number };
    if (n > 0 && id !== applicationId) throw new ForeignFile('it belongs to another program');
    if (format > fileFormat) throw new ForeignFile(`it has format ${format}, and this version knows up to ${fileFormat}`);
    db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -8000;
      PRAGMA journal_size_limit = ${logBytes}`);
    if (maxPages !== undefined) db.exec(`PRAGMA max_page_count = ${maxPages}`);
    // A file that is there already is not written to: it must open on a full disk.
    if (n === 0 || format < fileFormat)
      db.exec(`BEGIN IMMEDIATE; ${n > 0 ? format2 : tables}
        UPDATE state SET cluster = '${randomBytes(16).toString('hex')}'; PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${fileFormat}; COMMIT`);
    return db;
  } catch (err) {
    db.close();
    throw err;
  }
}

/**
 * Goes on with a store that lost acknowledged writes. Revisions continue far above any that a client may have seen, and the log is emptied, so
 * that clients list everything anew and take no new object for one that they know (as `etcdutl snapshot restore --bump-revision
 * --mark-compacted`). Throws when the file itself is damaged.
 */
export function goOnWithout(db: DatabaseSync, { revision, commits }: { readonly revision: number; readonly commits: number }): void {
  const { integrity_check: found } = db.prepare('PRAGMA integrity_check(1)').get() as { integrity_check: string };
  if (found !== 'ok') throw new ForeignFile(`it is damaged inside: ${found}`);
  db.exec(`BEGIN IMMEDIATE; DELETE FROM log;
    UPDATE state SET revision = max(revision, ${revision}) + ${revisionGap}, commits = max(commits, ${commits}) + 1;
    UPDATE state SET compacted = revision; COMMIT`);
}

export function openForReading(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
  db.exec('PRAGMA cache_size = -2000');
  return db;
}

/**
 * The row `state`, read without changing anything: from file and log together, or from the file `alone` as if it had no log. A file of format 1
 * has no cluster. Undefined when it cannot be read.
 */
export function readState(path: string, alone: boolean): (StoreState & { readonly format: number }) | undefined {
  let db: DatabaseSync | undefined;
  try {
    // With `immutable` SQLite neither reads the log nor locks.
    db = new DatabaseSync(alone ? new URL(`${pathToFileURL(path).href}?immutable=1`) : path, { readOnly: true, timeout: 5_000 });
    const { user_version: format } = db.prepare('PRAGMA user_version').get() as { user_version: number };
    const state = db.prepare('SELECT * FROM state').get() as unknown as StoreState;
    return { format, cluster: state.cluster ?? '', revision: state.revision, commits: state.commits ?? 0 };
  } catch {
    return undefined;
  } finally {
    db?.close();
  }
}

/** The file is not one that this program wrote, or not as it wrote it. */
export class ForeignFile extends Error {}
