/** Keeps the high-water mark beside what the writer does: raises it with each commit, and notes what checkpoints have copied. */
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

  /** `db` has read something, so that there is a wal-index; the mark's file is there. */
  constructor(db: DatabaseSync, path: string) {
    this.#path = path;
    this.#db = db;
    this.#passive = db.prepare('PRAGMA wal_checkpoint(PASSIVE)');
    this.#index = openSync(`${path}-shm`, 'r');
    this.#mark = new MarkFile(path);
  }

  /** Frames in the log that no checkpoint has looked at yet, about. */
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

  /** Gives the room of a log that is copied back to the disk; fails while somebody reads. */
  truncateLog(): void {
    // The log's end must not outlive what says that it is not needed.
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
      // A full disk: the log stays, and the mark asks for it.
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
