/** A directory that belongs to one process at a time. The kernel drops the lock when the process ends, however it ends. */
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { KnownError } from '../errors/known-error.ts';
import { loadLibc } from './libc.ts';

const LOCK_EX = 2;
const LOCK_NB = 4;

/** Makes the directory if need be. Gives back what unlocks it. Throws STATE_IN_USE. */
export function lockDirectory(path: string): () => void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const fd = openSync(join(path, 'lock'), 'w', 0o600);
  if (loadLibc().flock(fd, LOCK_EX | LOCK_NB) !== 0) {
    closeSync(fd);
    throw new KnownError('STATE_IN_USE', `Cannot use "${path}": another process has locked it`, {
      hint: `End the other one first; "fuser ${join(path, 'lock')}" names it`,
    });
  }
  return () => closeSync(fd);
}
