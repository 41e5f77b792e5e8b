/** Makes a store where there is none: an empty one, or one that holds what another store held. */
import { existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { isKnownError, KnownError, systemCode } from '../../errors/known-error.ts';
import type { StoreImage } from '../image.ts';
import { syncFolder } from '../sync-folder.ts';
import { fill } from './image.ts';
import { createPrivate } from './lock.ts';
import { makeMark, markPath, readMark } from './mark-file.ts';
import { openForWriting } from './schema.ts';
import { failed } from './sqlite-error.ts';

/**
 * True when it made the store. A store is made under another name and then renamed, so its file is never without tables. An empty file, or none
 * beside a log or a mark, has lost everything. SQLite would take it for a new one and delete the log. This throws STORE_CORRUPT instead: a cluster
 * must not come up empty unless somebody asks for that.
 */
export async function makeWhenMissing(path: string): Promise<boolean> {
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  if (size !== undefined && size > 0) return false;
  const rest = remains(path);
  if (size === 0 || rest !== undefined) {
    const what = size === 0 ? 'the file is empty' : `the file is missing, while "${rest}" is there`;
    throw new KnownError('STORE_CORRUPT', `Cannot open store "${path}": ${what}`, {
      hint: `Bring the file back from a backup; to begin with an empty cluster, delete "${path}", "${path}-wal" and "${markPath(path)}"`,
    });
  }
  await make(path, async () => {});
  return true;
}

/**
 * Makes a store of what `image` gives, at `revision` and with no events of before it. Throws STORE_NOT_EMPTY where there is one. The caller
 * holds the lock.
 */
export async function makeFrom(path: string, image: StoreImage, revision: number): Promise<void> {
  const there = (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0 ? path : remains(path);
  if (there !== undefined)
    throw new KnownError('STORE_NOT_EMPTY', `Cannot make store "${path}": "${there}" is there already`, {
      hint: `Move it away first: mkdir -p ${dirname(path)}/old && mv ${path}* ${dirname(path)}/old/`,
    });
  await make(path, (db) => fill(db, image, revision));
  syncFolder(dirname(path));
}

async function make(path: string, fillFile: (db: DatabaseSync) => Promise<void>): Promise<void> {
  const made = `${path}.new`;
  const remove = (): void => {
    for (const file of [made, `${made}-wal`, `${made}-shm`]) rmSync(file, { force: true });
  };
  remove();
  // The mark comes first, so that a store without one has lost it.
  makeMark(path);
  createPrivate(made);
  try {
    const db = openForWriting(made, undefined);
    try {
      await fillFile(db);
    } finally {
      db.close();
    }
  } catch (cause) {
    remove();
    throw isKnownError(cause) ? cause : failed('make', path, cause);
  }
  renameSync(made, path);
}

/** A file that is left of a store without its main one. A mark under which nothing was acknowledged does not count: making a store was interrupted. */
function remains(path: string): string | undefined {
  if (existsSync(`${path}-wal`)) return `${path}-wal`;
  const mark = readMark(path);
  return mark === 'missing' || (mark !== 'damaged' && mark.cluster === '') ? undefined : markPath(path);
}

/** As `mkdir -p`. Node's own `recursive` reports a read-only file system as a missing folder. */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (err) {
    if (systemCode(err) === 'EEXIST') return;
    if (systemCode(err) !== 'ENOENT') throw err;
    makeFolder(dirname(path));
    mkdirSync(path, { mode: 0o700 });
  }
}
