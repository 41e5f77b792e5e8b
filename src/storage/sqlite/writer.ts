/** The writer's thread: takes what has queued up, at most 64 operations a commit, and answers once it is on disk. */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { Database } from './database.ts';
import type { FromWriter, ToWriter, WriteOp, WriterData } from './protocol.ts';
import { classify } from './sqlite-error.ts';

/** More per commit gains little throughput and costs latency: 64 give 41k writes/s at 0.9 ms, 512 give 46k at 12.8 ms. */
const group = 64;
/** Up to so many pages are copied by the writer itself, which costs less than to start the checkpointer's thread. */
const fewPages = 512;

function run(port: MessagePort, data: WriterData): void {
  const say = (message: FromWriter): void => port.postMessage(message);
  let database: Database;
  try {
    database = new Database(data);
  } catch (err) {
    say({ kind: 'open-failed', ...classify(err) });
    port.close();
    return;
  }
  // Copies what an earlier process left in the WAL: in a crash loop that would grow without end.
  finishCheckpoint(database);
  say({ kind: 'open', revision: database.revision, nextExpiry: database.nextExpiry() });

  let queue: WriteOp[] = [];
  let closing = false;
  let aged: NodeJS.Timeout | undefined;

  /** Copies a short WAL into the file; true when it is so long that the checkpointer must copy it. */
  function isTooLong(): boolean {
    if (database.uncopied > fewPages) return true;
    finishCheckpoint(database);
    return false;
  }

  /** Copies the WAL by age: a quiet cluster, too, should not have its newest writes there alone for long. */
  function checkpointByAge(): void {
    aged = undefined;
    if (isTooLong()) say({ kind: 'replies', replies: [], checkpointWanted: true });
  }

  function accept(message: ToWriter): void {
    if (message.kind === 'write') queue.push(...message.ops);
    else if (message.kind === 'finish-checkpoint') finishCheckpoint(database);
    else closing = true;
  }

  port.on('message', (message: ToWriter) => {
    accept(message);
    while (queue.length > 0) {
      // Writes that came during the last commit join this one.
      for (let more = receiveMessageOnPort(port); more; more = queue.length < group ? receiveMessageOnPort(port) : undefined)
        accept(more.message as ToWriter);
      const ops = queue.slice(0, group);
      queue = queue.slice(group);
      const replies = database.commit(ops);
      say({ kind: 'replies', replies, checkpointWanted: database.uncopied > database.checkpointPages && isTooLong() });
      aged ??= setTimeout(checkpointByAge, data.limits.checkpointAgeMs);
    }
    if (closing) {
      clearTimeout(aged);
      database.close();
      port.close();
    }
  });
}

/** A checkpoint that fails (a full disk) costs nothing but WAL: it is tried again after the next writes. */
function finishCheckpoint(database: Database): void {
  try {
    database.checkpoint();
  } catch {
    // On a full disk the next write that finds no room reports it.
  }
}

run(parentPort!, workerData as WriterData);
