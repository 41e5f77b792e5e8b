/** Files that others watch or run: they change in one step, and only when they differ. */
import { chmodSync, closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { systemCode } from '../errors/known-error.ts';

/** Makes a file so. A folder that is watched hears of it once; a script that is running goes on with what it was. */
export function putFile(path: string, content: string, mode: number): void {
  try {
    if ((statSync(path).mode & 0o777) === mode && readFileSync(path, 'utf8') === content) return;
  } catch {
    // Not there yet.
  }
  rmSync(`${path}.new`, { force: true });
  // Unflushed, it could be empty under its name after a power cut.
  writeFileSync(`${path}.new`, content, { mode, flush: true });
  // Whatever the process's mask says.
  chmodSync(`${path}.new`, mode);
  renameSync(`${path}.new`, path);
  syncFolder(dirname(path));
}

/** A name is in its folder, and on the disk once that is: fsync(2). Some file systems have no such thing, and some folders only take names. */
export function syncFolder(dir: string): void {
  let folder: number | undefined;
  try {
    folder = openSync(dir, 'r');
    fsyncSync(folder);
  } catch (err) {
    if (!['EINVAL', 'EACCES'].includes(systemCode(err) ?? '')) throw err;
  } finally {
    if (folder !== undefined) closeSync(folder);
  }
}
