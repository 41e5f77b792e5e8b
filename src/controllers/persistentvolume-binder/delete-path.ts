/** Deletes the content of a hostPath volume, of which the plan has said that it lies below /tmp. */
import { realpath, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCode } from '../../errors/known-error.ts';

export async function deletePath(path: string): Promise<void> {
  let parent: string;
  try {
    // Anybody may put a link there, which would lead to what is not theirs.
    parent = await realpath(dirname(path));
  } catch (err) {
    if (systemCode(err) === 'ENOENT') return;
    throw err;
  }
  if (parent !== '/tmp' && !parent.startsWith('/tmp/'))
    throw new Error(`host_path deleter only supports /tmp/.+ but ${path} leads to ${parent}`);
  await rm(path, { recursive: true, force: true });
}
