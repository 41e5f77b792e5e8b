/** Deletes Jobs, and their pods with them, `ttlSecondsAfterFinished` after they ended. */
import { jobs } from '../../api/resource-types.ts';
import type { Job } from '../../api/schema/types.ts';
import { ignoreNotFound } from '../../client/api-error.ts';
import type { Controller, Result } from '../../client/controller.ts';
import { KeyedController } from '../context.ts';
import { endOf } from '../job/end-of.ts';

export class TtlAfterFinishedController extends KeyedController {
  readonly name = 'ttl-after-finished-controller';
  readonly #jobs = this.informers.of(jobs);

  setup(controller: Controller): void {
    controller.for(this.#jobs, (job) => timeLeft(job, this.clock.now()) !== undefined);
  }

  async reconcile(key: string): Promise<Result | undefined> {
    const job = this.#jobs.get(key);
    const left = job && timeLeft(job, this.clock.now());
    if (!job || left === undefined) return;
    if (left > 0) return { requeueAfter: left };
    // The time may have been changed since the copy was made.
    const { name, namespace = '' } = job.metadata;
    const fresh = await this.client.get(jobs, name, { namespace }).catch(ignoreNotFound);
    if (!fresh || (timeLeft(fresh, this.clock.now()) ?? 1) > 0) return;
    const preconditions = { uid: fresh.metadata.uid };
    await this.client.delete(jobs, name, { namespace, preconditions, propagationPolicy: 'Foreground' }).catch(ignoreNotFound);
  }
}

/** Milliseconds until the job is to go; undefined when it stays. */
function timeLeft(job: Job, now: number): number | undefined {
  const end = endOf(job);
  const ttl = job.spec?.ttlSecondsAfterFinished;
  if (ttl === undefined || !end || job.metadata.deletionTimestamp) return undefined;
  return (Date.parse(end.lastTransitionTime ?? '') || 0) + ttl * 1000 - now;
}
