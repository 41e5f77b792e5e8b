/** The store of a cluster that was lost, replaced by an empty one that has counted on. */
import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { openStore } from '../../../src/storage/open.ts';

const key = '/store-anew';
const together = 64;

/** Nobody has `file` open. Nothing of what is above `revision` has been compacted: watches from there go on. */
export async function storeAnew(file: string, revision: number): Promise<void> {
  const dir = dirname(file);
  for (const name of await readdir(dir)) if (name.startsWith(basename(file))) await rm(join(dir, name));
  await using store = await openStore(`sqlite://${file}`, {});
  const put = (): Promise<unknown> => store.put(key, new Uint8Array());
  while ((await store.revision()) <= revision) await Promise.all(Array.from({ length: together }, put));
  await store.delete(key);
}
