/** Keeps the high-water mark: raises it with each commit, and records what checkpoints have copied. */
import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { StoreState } from './loss.ts';
import { type LogMark, noLog } from './mark.ts';
import { MarkFile } from './mark-file.ts';
import { followsLog, readWalIndex, walIndexHead } from './wal.ts';

export class HighWater {
  readonly #path: string;
  readonly #db: DatabaseSync;
  readonly #passive: StatementSync;
  readonly #mark: MarkFile;
  /** Closed after the database only: closing any descriptor of a file drops the locks that SQLite has on it (fcntl(2)). */
  readonly #index: number;
  readonly #head = Buffer.alloc(walIndexHead);
  #copied = 0;

  /** Reads the wal-index and the mark: `db` must have read something, which makes the index, and the mark's file must be there. */
  constructor(db: DatabaseSync, path: string) {
    this.#path = path;
    this.#db = db;
    this.#passive = db.prepare('PRAGMA wal_checkpoint(PASSIVE)');
    this.#index = openSync(`${path}-shm`, 'r');
    this.#mark = new MarkFile(path);
  }

  /** About how many frames of the log no checkpoint has seen yet. */
  get uncopied(): number {
    const { frames } = this.#log();
    // The log has begun anew.
    if (frames < this.#copied) this.#copied = 0;
    return frames - this.#copied;
  }

  /** To be called after each commit, before it is acknowledged. */
  raise(state: StoreState): void {
    const { mark } = this.#mark;
    const log = this.#log();
    // A log begins anew only when all of the one before has been copied.
    this.#mark.write({ ...state, base: followsLog(mark.log.salts, log.salts) ? mark.commits : mark.base, log });
  }

  /** Copies what is left of the log into the file without waiting for anybody; true when nothing is left. */
  checkpoint(state: StoreState): boolean {
    const { busy, log, checkpointed } = this.#passive.get() as { busy: number; log: number; checkpointed: number };
    this.#copied = Math.max(0, log);
    if (busy !== 0 || log !== checkpointed) return false;
    this.#mark.write({ ...state, base: state.commits, log: { ...this.#log(), frames: 0 } });
    return true;
  }

  /** Truncates a log that has been copied, so that the disk has its room again. Fails while somebody reads. */
  truncateLog(): void {
    // The mark on the disk may still ask for the log: replace it first.
    this.#mark.sync();
    this.#db.exec('PRAGMA busy_timeout = 0');
    this.#db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get();
    this.#db.exec('PRAGMA busy_timeout = 5000');
  }

  /** Closes the database too, which removes the log when all of it is in the file. */
  close(state: StoreState): void {
    try {
      if (this.checkpoint(state)) {
        this.#mark.write({ ...state, base: state.commits, log: noLog });
        this.#mark.sync();
      }
    } catch {
      // On a full disk the log stays, and the mark goes on asking for it.
    }
    this.#db.close();
    if (!existsSync(`${this.#path}-wal`)) this.#mark.write({ ...state, base: state.commits, log: noLog });
    this.#mark.close();
    closeSync(this.#index);
  }

  #log(): LogMark {
    readSync(this.#index, this.#head, 0, walIndexHead, 0);
    return readWalIndex(this.#head);
  }
}
