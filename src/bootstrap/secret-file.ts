/** Files that only their owner may read. */
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCode } from '../errors/known-error.ts';
import { makeFolder, replaceFile } from '../linux/put-file.ts';

/** Writes a file that only its owner may read (0600), whole or not at all. */
export async function writeSecret(path: string, text: string, owner?: { readonly uid: number; readonly gid: number }): Promise<void> {
  makeFolder(dirname(path), 0o700);
  replaceFile(path, text, 0o600, owner);
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
