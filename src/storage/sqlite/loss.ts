/** Tells from a store's files and its high-water mark whether acknowledged writes are missing. Pure. */
import type { Mark } from './mark.ts';
import { followsLog, type Wal } from './wal.ts';

/** The row of the table `state`. */
export interface StoreState {
  readonly cluster: string;
  readonly revision: number;
  readonly commits: number;
}

export interface Evidence {
  readonly mark: Mark | 'missing' | 'damaged';
  readonly wal: Wal;
  /** The state in the file alone, without its log; undefined when it cannot be read. */
  readonly file: StoreState | undefined;
  /** The state that SQLite reads from file and log together; undefined when it cannot be read. */
  readonly whole: StoreState | undefined;
}

export interface Loss {
  readonly what: string;
  /** The write-ahead log belongs to another cluster, or to another state of the file: applied, it would mix the two. */
  readonly foreignLog: boolean;
}

function loss(what: string, foreignLog = false): Loss {
  return { what, foreignLog };
}

/** What is missing; undefined when the store holds everything up to its mark. */
export function lossOf({ mark, wal, file, whole }: Evidence): Loss | undefined {
  if (typeof mark === 'string') return unknowable(mark);
  // Nothing was ever acknowledged.
  if (mark.cluster === '') return undefined;
  // While a checkpoint is half done, the file alone cannot be read: its header names pages that are not written yet. The log has them.
  if (!file && mark.log.frames === 0) return loss('the file cannot be read');
  if (file && file.cluster !== '' && file.cluster !== mark.cluster) return loss('it is the file of another cluster');
  if (file && file.commits < mark.base) return loss(`the file is an older copy, of revision ${file.revision}`, true);
  const ofLog = logLoss(mark, wal, file);
  if (ofLog) return ofLog;
  if (!whole) return loss('the file and its write-ahead log cannot be read together');
  if (whole.cluster !== mark.cluster) return loss('its write-ahead log is of another cluster', true);
  return missingFrom(whole, mark);
}

/** The same of a store that another process may be writing to: the mark was read before the state. */
export function lossIn(whole: StoreState, mark: Evidence['mark']): Loss | undefined {
  if (typeof mark === 'string') return unknowable(mark);
  if (mark.cluster === '') return undefined;
  return whole.cluster === mark.cluster ? missingFrom(whole, mark) : loss('it is the file of another cluster');
}

function unknowable(mark: 'missing' | 'damaged'): Loss {
  return loss(`its high-water mark ${mark === 'missing' ? 'is missing' : 'cannot be read'}, so nobody can tell whether it is whole`);
}

function missingFrom(whole: StoreState, mark: Mark): Loss | undefined {
  return whole.commits < mark.commits ? loss(`it ends at revision ${whole.revision}`) : undefined;
}

function logLoss({ log, commits }: Mark, wal: Wal, file: StoreState | undefined): Loss | undefined {
  if (wal.salts === log.salts) {
    if (wal.checksums.length < log.frames)
      return loss(`its write-ahead log can be read up to frame ${wal.checksums.length} of ${log.frames}`);
    const differs = log.frames > 0 && wal.checksums[log.frames - 1] !== log.checksum;
    return differs ? loss('its write-ahead log is not the one that was written', true) : undefined;
  }
  // SQLite begins the log anew only after all of it has been copied into the file.
  if (followsLog(log.salts, wal.salts) && file && file.commits >= commits) return undefined;
  if (log.frames > 0 && wal.salts === '') return loss('its write-ahead log is missing or cannot be read');
  // A log may have any salts if the file alone was whole, and there was no log before.
  if (log.frames > 0 || (wal.checksums.length > 0 && log.salts !== '')) return loss('its write-ahead log is another one', true);
  return undefined;
}
