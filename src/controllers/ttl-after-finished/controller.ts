/** Deletes Jobs, and their pods with them, `ttlSecondsAfterFinished` after they ended. */

import { objectKey } from '../../api/object-key.ts';
import { jobs } from '../../api/resource-types.ts';
import type { Job } from '../../api/schema/types.ts';
import { isNotFound } from '../../client/api-error.ts';
import { runController } from '../../client/run-controller.ts';
import { WorkQueue } from '../../client/work-queue.ts';
import type { ControllerContext } from '../context.ts';
import { endOf } from '../job/end-of.ts';

export async function runTtlAfterFinished({ client, informers, clock, log, signal }: ControllerContext): Promise<void> {
  const queue = new WorkQueue({ clock });
  const informer = informers.of(jobs);
  const look = (job: Job): void => {
    if (timeLeft(job, clock.now()) !== undefined) queue.add(objectKey(job));
  };
  informer.on({ add: look, update: look });
  await informer.synced;
  await runController({ name: 'ttl-after-finished-controller', queue, reconcile, log, signal });

  async function reconcile(key: string): Promise<void> {
    const job = informer.get(key);
    const left = job && timeLeft(job, clock.now());
    if (!job || left === undefined) return;
    if (left > 0) {
      queue.addAfter(key, left);
      return;
    }
    // The time may have been changed since the copy was made.
    const { name, namespace = '' } = job.metadata;
    try {
      const fresh = await client.get(jobs, name, { namespace });
      if ((timeLeft(fresh, clock.now()) ?? 1) > 0) return;
      const preconditions = { uid: fresh.metadata.uid };
      await client.delete(jobs, name, { namespace, preconditions, propagationPolicy: 'Foreground' });
    } catch (err) {
      if (!isNotFound(err)) throw err;
    }
  }
}

/** Milliseconds until the job is to go; undefined when it stays. */
export function timeLeft(job: Job, now: number): number | undefined {
  const end = endOf(job);
  const ttl = job.spec?.ttlSecondsAfterFinished;
  if (ttl === undefined || !end || job.metadata.deletionTimestamp) return undefined;
  return (Date.parse(end.lastTransitionTime ?? '') || 0) + ttl * 1000 - now;
}
