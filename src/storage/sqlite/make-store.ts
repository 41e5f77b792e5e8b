/** Makes a store where there is none. */
import { existsSync, renameSync, rmSync, statSync } from 'node:fs';
import { KnownError } from '../../errors/known-error.ts';
import { createPrivate } from './lock.ts';
import { makeMark, markPath, readMark } from './mark-file.ts';
import { openForWriting } from './schema.ts';
import { failed } from './sqlite-error.ts';

/**
 * True when the store was made. A file that is there has tables always: it is made aside and put in its place whole. So one that is empty, or
 * gone while its log or its mark is still there, has lost everything, which SQLite would take for a new file, deleting the log: a cluster must
 * not come up empty unasked.
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
  // The mark first: from then on a store without one has lost it.
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

/** What is left of a store beside its file. A mark under which nothing was acknowledged is left when making it was interrupted. */
function remains(path: string): string | undefined {
  if (existsSync(`${path}-wal`)) return `${path}-wal`;
  const mark = readMark(path);
  return mark === 'missing' || (mark !== 'damaged' && mark.cluster === '') ? undefined : markPath(path);
}
