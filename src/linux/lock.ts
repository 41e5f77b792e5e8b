/** A directory that belongs to one process at a time. The kernel drops the lock when the process ends, however it ends. */
import { closeSync, fstatSync, mkdirSync, openSync, rmdirSync, statSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { KnownError, systemCode } from '../errors/known-error.ts';
import { loadLibc } from './libc.ts';

const LOCK_EX = 2;
const LOCK_NB = 4;

const maxTries = 1000;

/** Opens the lock's file in the directory, which its last owner may be taking away. */
function openLock(path: string): number {
  for (let tries = 1; ; tries++) {
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 });
      return openSync(join(path, 'lock'), 'w', 0o600);
    } catch (err) {
      // Time and again, it is the path itself: a link that leads nowhere.
      if (systemCode(err) !== 'ENOENT' || tries === maxTries) throw err;
    }
  }
}

/** Makes the directory if need be. Gives back what unlocks it. Throws STATE_IN_USE. */
export function lockDirectory(path: string): () => void {
  for (;;) {
    const fd = openLock(path);
    if (loadLibc().flock(fd, LOCK_EX | LOCK_NB) !== 0) {
      closeSync(fd);
      throw new KnownError('STATE_IN_USE', `Cannot use "${path}": another process has locked it`, {
        hint: `End the other one first; "fuser ${join(path, 'lock')}" names it`,
      });
    }
    // A file that was removed between opening and locking keeps nobody out.
    if (statSync(join(path, 'lock'), { throwIfNoEntry: false })?.ino === fstatSync(fd).ino) return () => closeSync(fd);
    closeSync(fd);
  }
}

/**
 * Takes a locked directory away; for whoever has the lock, before unlocking. Not as a tree: the next owner may have its file there
 * already, or may have come and gone.
 */
export function removeLock(path: string): void {
  unlinkSync(join(path, 'lock'));
  try {
    rmdirSync(path);
  } catch (err) {
    if (!['ENOTEMPTY', 'ENOENT'].includes(systemCode(err) ?? '')) throw err;
  }
}
