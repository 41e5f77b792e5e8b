/** Decides whether an existing store may be opened: only if every acknowledged write is there, unless its owner accepts the loss. */
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { KnownError } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import { lossOf } from './loss.ts';
import { blankMark } from './mark.ts';
import { makeMark, readMark } from './mark-file.ts';
import { readState } from './schema.ts';
import { noWal, readWal } from './wal.ts';

/** How far a store had come that is opened although acknowledged writes are missing. */
export interface Forgiven {
  readonly revision: number;
  readonly commits: number;
}

/**
 * Throws STORE_CORRUPT, and changes nothing, when an acknowledged write is missing. With `acceptDataLoss` it logs the loss instead, renames a
 * write-ahead log that does not belong to the file, and returns how far the store had come.
 */
export function admit(path: string, acceptDataLoss: boolean, log: Log): Forgiven | undefined {
  const mark = readMark(path);
  const whole = readState(path, false);
  // A store from before there were marks gets its first one. If it cannot be read at all, the writer will say so.
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
