/** The file's layout, and how a connection to it is opened. */
import { DatabaseSync } from 'node:sqlite';

const APPLICATION_ID = 0x464c4431; // "FLD1"
const FORMAT = 1;

/**
 * `records` holds the latest values. `log` is an undo log: an event's row carries what stood there *before* it, and the value after it is
 * found in the key's next row or in `records`. So a create costs one copy of the value instead of two, and cutting the log off at any
 * revision leaves the rest complete, `previous` included.
 */
const TABLES = `
  CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL, compacted INTEGER NOT NULL);
  INSERT OR IGNORE INTO state VALUES (1, 0, 0);
  CREATE TABLE IF NOT EXISTS records (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, created INTEGER NOT NULL, modified INTEGER NOT NULL, expires INTEGER, value BLOB NOT NULL);
  CREATE INDEX IF NOT EXISTS records_expires ON records (expires) WHERE expires IS NOT NULL;
  CREATE TABLE IF NOT EXISTS log (
    revision INTEGER PRIMARY KEY, key TEXT NOT NULL, created INTEGER, prev_created INTEGER, prev_modified INTEGER, previous BLOB);
  CREATE INDEX IF NOT EXISTS log_key ON log (key, revision);
`;

/** Opens the file for writing, makes the tables when they are missing, and refuses a file of another program or a newer format. */
export function openForWriting(path: string, maxPages: number | undefined): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: 5_000 });
  try {
    const { application_id: id } = db.prepare('PRAGMA application_id').get() as { application_id: number };
    const { user_version: format } = db.prepare('PRAGMA user_version').get() as { user_version: number };
    const { n } = db.prepare('SELECT count(*) AS n FROM sqlite_schema').get() as { n: number };
    if (n > 0 && id !== APPLICATION_ID) throw new ForeignFile('it belongs to another program');
    if (format > FORMAT) throw new ForeignFile(`it has format ${format}, and this version knows up to ${FORMAT}`);
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -8000;');
    if (maxPages !== undefined) db.exec(`PRAGMA max_page_count = ${maxPages}`);
    // A file that is there already is not written to: it must open on a full disk.
    if (n === 0 || format < FORMAT)
      db.exec(`BEGIN IMMEDIATE; ${TABLES} PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${FORMAT}; COMMIT`);
    return db;
  } catch (err) {
    db.close();
    throw err;
  }
}

export function openForReading(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
  db.exec('PRAGMA cache_size = -2000');
  return db;
}

/** The file holds what this program did not write. */
export class ForeignFile extends Error {}
