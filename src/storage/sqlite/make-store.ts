/** Makes a store where there is none. */
import { existsSync, renameSync, rmSync, statSync } from 'node:fs';
import { KnownError } from '../../errors/known-error.ts';
import { createPrivate } from './lock.ts';
import { makeMark, markPath, readMark } from './mark-file.ts';
import { openForWriting } from './schema.ts';
import { failed } from './sqlite-error.ts';

/**
 * True when it made the store. A store is made under another name and then renamed, so its file is never without tables. An empty file, or none
 * beside a log or a mark, has lost everything. SQLite would take it for a new one and delete the log. This throws STORE_CORRUPT instead: a cluster
 * must not come up empty unless somebody asks for that.
 */
export function makeWhenMissing(path: string): boolean {
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  if (size !== undefined && size > 0) return false;
  const rest = remains(path);
  if (size === 0 || rest !== undefined) {
    const what = size === 0 ? 'the file is empty' : `the file is missing, while "${rest}" is there`;
    throw new KnownError('STORE_CORRUPT', `Cannot open store "${path}": ${what}`, {
      hint: `Bring the file back from a backup; to begin with an empty cluster, delete "${path}", "${path}-wal" and "${markPath(path)}"`,
    });
  }
  const made = `${path}.new`;
  for (const file of [made, `${made}-wal`, `${made}-shm`]) rmSync(file, { force: true });
  // The mark comes first, so that a store without one has lost it.
  makeMark(path);
  createPrivate(made);
  try {
    openForWriting(made, undefined).close();
  } catch (cause) {
    throw failed('make', path, cause);
  }
  renameSync(made, path);
  return true;
}

/** A file that is left of a store without its main one. A mark under which nothing was acknowledged does not count: making a store was interrupted. */
function remains(path: string): string | undefined {
  if (existsSync(`${path}-wal`)) return `${path}-wal`;
  const mark = readMark(path);
  return mark === 'missing' || (mark !== 'damaged' && mark.cluster === '') ? undefined : markPath(path);
}
