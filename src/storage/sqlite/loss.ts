/** Tells from a store's files and its high-water mark whether anything that was acknowledged is missing. Pure. */
import type { Mark } from './mark.ts';
import { followsLog, type Wal } from './wal.ts';

/** The store's row about itself. */
export interface StoreState {
  readonly cluster: string;
  readonly revision: number;
  readonly commits: number;
}

export interface Evidence {
  readonly mark: Mark | 'missing' | 'damaged';
  readonly wal: Wal;
  /** What the file says alone; undefined when it says nothing that can be read. */
  readonly file: StoreState | undefined;
  /** What SQLite reads from file and log together; undefined as above. */
  readonly whole: StoreState | undefined;
}

export interface Loss {
  readonly what: string;
  /** The write-ahead log was not written on top of this file: applied to it, it would mix two times or two clusters. */
  readonly foreignLog: boolean;
}

function loss(what: string, foreignLog = false): Loss {
  return { what, foreignLog };
}

/** What is missing; undefined when the store holds all that its mark knows of. */
export function lossOf({ mark, wal, file, whole }: Evidence): Loss | undefined {
  if (mark === 'missing') return loss('its high-water mark is missing, so nobody can tell whether it is whole');
  if (mark === 'damaged') return loss('its high-water mark cannot be read, so nobody can tell whether it is whole');
  // Nothing was ever acknowledged.
  if (mark.cluster === '') return undefined;
  // Alone it cannot be while a checkpoint is half done (its head names pages that are to come); the log still has everything then.
  if (!file && mark.log.frames === 0) return loss('the file cannot be read');
  if (file && file.cluster !== '' && file.cluster !== mark.cluster) return loss('it is the file of another cluster');
  if (file && file.commits < mark.base) return loss(`the file is an older copy, of revision ${file.revision}`, true);
  const ofLog = logLoss(mark, wal, file);
  if (ofLog) return ofLog;
  if (!whole) return loss('the file and its write-ahead log cannot be read together');
  if (whole.cluster !== mark.cluster) return loss('its write-ahead log is of another cluster', true);
  if (whole.commits < mark.commits) return loss(`it ends at revision ${whole.revision}`);
  return undefined;
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
  // Where the file alone was whole, a log may begin with any salts if there was none before it.
  if (log.frames > 0 || (wal.checksums.length > 0 && log.salts !== '')) return loss('its write-ahead log is another one', true);
  return undefined;
}
