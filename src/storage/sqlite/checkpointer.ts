/**
 * The checkpointer's thread: copies the WAL into the file while the writer goes on. What the writer adds meanwhile it leaves. The writer copies
 * that small rest itself: only when all is copied does the WAL start again from its beginning.
 */

import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../../errors/known-error.ts';

const { path } = workerData as { path: string };
const db = new DatabaseSync(path, { timeout: 0 });
// NORMAL syncs the file at a checkpoint; this connection never commits anything.
db.exec('PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -200');
const checkpoint = db.prepare('PRAGMA wal_checkpoint(PASSIVE)');

parentPort!.on('message', (message: 'checkpoint' | 'close') => {
  if (message === 'close') {
    db.close();
    parentPort!.close();
    return;
  }
  try {
    checkpoint.get();
    parentPort!.postMessage({ error: undefined });
  } catch (err) {
    parentPort!.postMessage({ error: messageOf(err) });
  }
});
