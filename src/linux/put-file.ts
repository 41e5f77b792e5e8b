/** Files that others watch or run: they change in one step, and only when they differ. */
import { randomBytes } from 'node:crypto';
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
  // A name that nobody uses: what else is in a person's folder is theirs.
  const made = `${path}.${randomBytes(8).toString('hex')}.new`;
  try {
    // Unflushed, it could be empty under its name after a power cut.
    writeFileSync(made, content, { mode, flush: true, flag: 'wx' });
    // Whatever the process's mask says.
    chmodSync(made, mode);
    renameSync(made, path);
  } catch (err) {
    rmSync(made, { force: true });
    throw err;
  }
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
