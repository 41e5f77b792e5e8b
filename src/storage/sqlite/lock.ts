/** The lock that keeps a second process away. The kernel releases it when the process ends, however it ends. */
import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { KnownError, systemCode } from '../../errors/known-error.ts';
import { classify, failed } from './sqlite-error.ts';

export interface StoreLock {
  release(): void;
}

/**
 * Locks `path` by an exclusive transaction on the empty SQLite file `path.lock`: SQLite's own locks work between processes and within one,
 * and the store's file stays open to readers of this process.
 */
export function lockStore(path: string): StoreLock {
  const file = `${path}.lock`;
  createPrivate(file);
  const db = new DatabaseSync(file, { timeout: 0 });
  try {
    // No journal in a file: nothing is written, so the lock can be taken on a full disk too.
    db.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (err) {
    db.close();
    if (classify(err).code !== 'STORE_IN_USE') throw failed('lock', path, err);
    throw new KnownError('STORE_IN_USE', `Cannot open store "${path}": another process has it open`, {
      hint: 'stop the other API server, or give this one a data directory of its own',
      cause: err,
    });
  }
  return { release: () => db.close() };
}

/**
 * Makes the file, readable by its owner only, when it is not there. One that is there is not even opened: closing any descriptor of a file
 * drops every POSIX lock that this process has on it (fcntl(2)).
 */
export function createPrivate(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600));
  } catch (err) {
    if (systemCode(err) !== 'EEXIST') throw err;
  }
}
