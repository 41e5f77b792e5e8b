/** Files that only their owner may read. */
import { chown, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCode } from '../errors/known-error.ts';
import { syncFolder } from '../linux/put-file.ts';

/** Writes a file that only its owner may read (0600), whole or not at all. */
export async function writeSecret(path: string, text: string, owner?: { readonly uid: number; readonly gid: number }): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const next = `${path}.next`;
  // Unflushed, a file could be empty under its name after a power cut: a key that nothing brings back.
  await writeFile(next, text, { mode: 0o600, flush: true });
  if (owner) await chown(next, owner.uid, owner.gid);
  await rename(next, path);
  syncFolder(dirname(path));
}

/** The text of a file, or undefined when there is none, or one that a power cut has left empty: older versions did not wait for the disk. */
export async function readUnlessEmpty(path: string): Promise<string | undefined> {
  return (await readIfThere(path)) || undefined;
}

/** The text of a file, or undefined when there is none. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (err) {
    if (systemCode(err) === 'ENOENT') return undefined;
    throw err;
  }
}
