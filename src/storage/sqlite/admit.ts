/** Whether a store that lies on the disk may be opened: everything that was acknowledged is there, or its owner lets the rest go. */
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { KnownError } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import { lossOf } from './loss.ts';
import { blankMark } from './mark.ts';
import { makeMark, readMark } from './mark-file.ts';
import { readState } from './schema.ts';
import { noWal, readWal } from './wal.ts';

/** What had been acknowledged of a store that goes on without some of it. */
export interface Forgiven {
  readonly revision: number;
  readonly commits: number;
}

/**
 * Throws STORE_CORRUPT when something that was acknowledged is missing, having changed nothing. With `acceptDataLoss` it says so in the log,
 * sets a write-ahead log aside that does not belong to the file, and gives what was known of.
 */
export function admit(path: string, acceptDataLoss: boolean, log: Log): Forgiven | undefined {
  const mark = readMark(path);
  const whole = readState(path, false);
  // Made before there were marks, or nothing that can be read: the writer will tell.
  if (mark === 'missing' && (whole === undefined || whole.format < 2)) {
    makeMark(path);
    return undefined;
  }
  const wal = existsSync(`${path}-wal`) ? readWal(readFileSync(`${path}-wal`)) : noWal;
  const loss = lossOf({ mark, wal, file: readState(path, true), whole });
  if (!loss) return undefined;
  if (!acceptDataLoss)
    throw new KnownError('STORE_CORRUPT', `Cannot open store "${path}": ${loss.what}`, {
      hint:
        `Bring "${path}", "${path}-wal" and "${path}-mark" back from one backup. To go on with what is there, copy them away and start ` +
        'once with --accept-data-loss. Nothing was changed',
    });
  log.warn('the store goes on without what is missing', { path, missing: loss.what });
  if (loss.foreignLog) renameSync(`${path}-wal`, `${path}-wal.foreign`);
  const known = typeof mark === 'string' ? blankMark : mark;
  return { revision: Math.max(known.revision, whole?.revision ?? 0), commits: Math.max(known.commits, whole?.commits ?? 0) };
}
