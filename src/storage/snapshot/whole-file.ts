/** Files that are there whole or as they were before: written under another name, synced, and renamed. */
import { randomBytes } from 'node:crypto';
import { readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { syncFolder } from '../sync-folder.ts';

/** Nobody writes so slowly: what has not grown for so long is of a process that was killed. */
const abandonedMs = 600_000;

/** Gives `file`, for its owner alone, what `write` writes. What others have left unfinished is removed, if `now` (since the epoch) is long after it. */
export async function writeWhole<T>(file: string, now: number, write: (handle: FileHandle) => Promise<T>): Promise<T> {
  removeAbandoned(file, now);
  // Two that write one file at the same time must not write to one file.
  const made = `${file}.${randomBytes(4).toString('hex')}.new`;
  const handle = await open(made, 'wx+', 0o600);
  try {
    const written = await write(handle);
    await handle.sync();
    renameSync(made, file);
    syncFolder(dirname(file));
    return written;
  } catch (err) {
    rmSync(made, { force: true });
    throw err;
  } finally {
    await handle.close();
  }
}

function removeAbandoned(file: string, now: number): void {
  const folder = dirname(file);
  for (const name of readdirSync(folder)) {
    const isUnfinished = name.startsWith(`${basename(file)}.`) && /^\.[0-9a-f]{8}\.new$/.test(name.slice(basename(file).length));
    if (!isUnfinished) continue;
    const stat = statSync(join(folder, name), { throwIfNoEntry: false });
    if (stat?.isFile() && stat.mtimeMs < now - abandonedMs) rmSync(join(folder, name), { force: true });
  }
}
