/** What a file holds at one moment, read beside the process that has it open, and put into a new file. */
import { statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { isKnownError, KnownError } from '../../errors/known-error.ts';
import type { ImageRecord, StoreImage } from '../image.ts';
import { lossIn, type StoreState } from './loss.ts';
import { readMark } from './mark-file.ts';
import { ForeignFile, openForReading, readState } from './schema.ts';
import { failed } from './sqlite-error.ts';

interface Row {
  readonly key: string;
  readonly created: number;
  readonly modified: number;
  readonly expires: number | null;
  readonly value: Uint8Array;
}

/**
 * The store at `path` as it is now; the process that has it open goes on. Everything is read in one transaction, from SQLite's own snapshot of
 * file and log, so every write that was acknowledged before is in it. Throws STORE_CORRUPT when an acknowledged write is missing, or the
 * file is damaged inside.
 */
export function readSqliteImage(path: string): StoreImage {
  // The mark is raised after each commit: what is read after it holds at least what it says.
  const mark = readMark(path);
  let db: DatabaseSync | undefined;
  try {
    db = openForReading(path);
    return imageOf(path, db, mark);
  } catch (err) {
    db?.close();
    throw isKnownError(err) ? err : failed('read', path, err);
  }
}

/** Throws BAD_CONFIG where there is no store. */
export function mustBeThere(path: string): void {
  if (!statSync(path, { throwIfNoEntry: false }))
    throw new KnownError('BAD_CONFIG', `Cannot read store "${path}": there is no such file`, {
      hint: 'Give the URL of the store that is meant',
    });
}

function imageOf(path: string, db: DatabaseSync, mark: ReturnType<typeof readMark>): StoreImage {
  db.exec('BEGIN');
  const { user_version: format } = db.prepare('PRAGMA user_version').get() as { user_version: number };
  const state = db.prepare('SELECT * FROM state').get() as unknown as StoreState;
  // A file of format 1 is from before there were marks.
  const loss = format < 2 ? undefined : lossIn(state, mark);
  if (loss) throw new ForeignFile(loss.what);
  const { integrity_check: found } = db.prepare('PRAGMA integrity_check(1)').get() as { integrity_check: string };
  if (found !== 'ok') throw new ForeignFile(`it is damaged inside: ${found}`);
  return {
    engine: 'sqlite',
    cluster: state.cluster ?? '',
    revision: state.revision,
    records: () => recordsOf(path, db),
    isCurrent: async () => readState(path, false)?.revision === state.revision,
    [Symbol.asyncDispose]: async () => db.close(),
  };
}

async function* recordsOf(path: string, db: DatabaseSync): AsyncGenerator<ImageRecord> {
  try {
    // The rows are sorted without their values, which may not fit into memory.
    const ids = db.prepare('SELECT id FROM records ORDER BY modified').all() as { id: number }[];
    const get = db.prepare('SELECT key, created, modified, expires, value FROM records WHERE id = ?');
    for (const { id } of ids) {
      const { key, value, created, modified, expires } = get.get(id) as unknown as Row;
      yield { key, value, createRevision: created, modRevision: modified, expiresAt: expires ?? undefined };
    }
  } catch (err) {
    throw failed('read', path, err);
  }
}

/** Puts the records into a new file, in one commit. The past before `revision` counts as compacted. */
export async function fill(db: DatabaseSync, image: StoreImage, revision: number): Promise<void> {
  db.exec('BEGIN IMMEDIATE');
  const insert = db.prepare('INSERT INTO records (key, created, modified, expires, value) VALUES (?, ?, ?, ?, ?)');
  for await (const { key, value, createRevision, modRevision, expiresAt } of image.records())
    insert.run(key, createRevision, modRevision, expiresAt ?? null, value);
  db.prepare('UPDATE state SET revision = ?, compacted = ?, commits = 1').run(revision, revision);
  db.exec('COMMIT');
}
