import { onAbort } from '../clock/aborted.ts';
import { messageOf } from '../errors/known-error.ts';
import type { Log } from '../observability/log.ts';
import { isConflict, isNamespaceTerminating, isNotFound } from './api-error.ts';
import type { WorkQueue } from './work-queue.ts';

export interface ControllerOptions {
  readonly name: string;
  readonly queue: WorkQueue;
  /** Brings the world in line with what the key wants; idempotent. A rejection puts the key back with a growing delay. */
  readonly reconcile: (key: string) => Promise<void>;
  /** How many keys are worked on at a time. Default 5. */
  readonly workers?: number;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Works on the queue until the signal aborts; resolves when every worker has ended. */
export async function runController(options: ControllerOptions): Promise<void> {
  const { name, queue, reconcile, log, signal } = options;
  using _ = onAbort(signal, () => queue.close());

  async function work(): Promise<void> {
    for (let key = await queue.take(); key !== undefined; key = await queue.take()) {
      try {
        await reconcile(key);
        queue.forget(key);
      } catch (err) {
        if (signal.aborted) return;
        if (isNamespaceTerminating(err)) {
          queue.forget(key);
          continue;
        }
        // Somebody else wrote or deleted first: everyday life, and the informer will bring the news.
        const isNews = (isConflict(err) || isNotFound(err)) && queue.failures(key) < 5;
        log[isNews ? 'debug' : 'warn'](`${name} will try "${key}" again: ${messageOf(err)}`, { controller: name, key });
        queue.addRateLimited(key);
      } finally {
        queue.done(key);
      }
    }
  }
  await Promise.all(Array.from({ length: options.workers ?? 5 }, work));
}
