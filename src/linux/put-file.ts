/** Files that are there whole or as they were before, whatever ends the writer: also a kill, or a power cut. */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { systemCode } from '../errors/known-error.ts';

/** Makes a file so, unless it is. A folder that is watched hears of it once; a script that is running goes on with what it was. */
export function putFile(path: string, content: string, mode: number): void {
  try {
    if ((statSync(path).mode & 0o777) === mode && readFileSync(path, 'utf8') === content) return;
  } catch {
    // Not there yet.
  }
  replaceFile(path, content, mode);
}

/** Writes a file, whatever is there. What a killed writer of it has left beside goes. */
export function replaceFile(path: string, content: string, mode: number, owner?: { readonly uid: number; readonly gid: number }): void {
  // A name that nobody uses: what else is in a person's folder is theirs.
  const made = `${path}.${randomBytes(8).toString('hex')}.new`;
  try {
    // Unflushed, it could be empty under its name after a power cut.
    writeFileSync(made, content, { mode, flush: true, flag: 'wx' });
    // Whatever the process's mask says.
    chmodSync(made, mode);
    if (owner) chownSync(made, owner.uid, owner.gid);
    removeAbandoned(dirname(path), unfinishedOf(path), statSync(made).mtimeMs);
    renameSync(made, path);
  } catch (err) {
    rmSync(made, { force: true });
    throw err;
  }
  syncFolder(dirname(path));
}

/** Which names in its folder are of what writers of a file have not finished, or have left when they were killed. */
export function unfinishedOf(path: string): (name: string) => boolean {
  const start = `${basename(path)}.`;
  return (name) => name.startsWith(start) && /^[0-9a-f]{16}\.new$/.test(name.slice(start.length));
}

/** Nobody writes so slowly: what has not changed for so long is of a process that was killed. */
const abandonedMs = 600_000;

/** Removes what is older than that from a folder. `now` is since the epoch, by the clock that gives files their times. */
export function removeAbandoned(dir: string, isUnfinished: (name: string) => boolean, now: number): void {
  for (const name of readdirSync(dir).filter(isUnfinished)) {
    const { mtimeMs = now } = statSync(join(dir, name), { throwIfNoEntry: false }) ?? {};
    if (mtimeMs < now - abandonedMs) rmSync(join(dir, name), { recursive: true, force: true });
  }
}

/** A folder with those above it: each is on the disk under its name. */
export function makeFolder(dir: string, mode: number): void {
  const first = mkdirSync(dir, { recursive: true, mode });
  if (first === undefined) return;
  for (let made = dir; made.length >= first.length; made = dirname(made)) syncFolder(dirname(made));
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
