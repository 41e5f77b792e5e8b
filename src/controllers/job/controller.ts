/** Runs the pods of Jobs to completion, and lets every pod go once it is counted. */
import { jobs } from '../../api/resource-types.ts';
import type { Job, JobStatus, Pod } from '../../api/schema/types.ts';
import type { Controller, Result } from '../../client/controller.ts';
import { KeyedController } from '../context.ts';
import { Expectations } from '../ownership/expectations.ts';
import { ownersOf, selectorOf } from '../ownership/owners-of.ts';
import { type PodChange, PodControl, podsAfter } from '../ownership/pod-control.ts';
import { type Batch, slowStartBatch } from '../ownership/slow-start.ts';
import { type Backoff, noBackoff } from './backoff.ts';
import { type JobPlan, planJob } from './desired.ts';
import { endOf } from './end-of.ts';
import { podOfJob } from './new-pod.ts';
import { isTracked } from './pod-facts.ts';
import { isOurs, TrackedPods } from './tracked-pods.ts';
import { settleJob, trackJob } from './tracking.ts';

/** News of pods is gathered for so long, so that pods that end together cost one write. Upstream waits a second. */
const gatherMs = 50;

export class JobController extends KeyedController {
  readonly name = 'job-controller';
  readonly #jobs = this.informers.of(jobs);
  /** Of the status of the jobs themselves. */
  readonly #expectations = new Expectations(this.#jobs);
  readonly #pods = new TrackedPods(this.context);
  readonly #control = new PodControl(this.#pods, this.recorder);
  /** By the uid of the job. */
  readonly #backoffs = new Map<string, Backoff>();

  setup(controller: Controller): void {
    controller.for(this.#jobs).owns(this.#pods.informer, (pod) => ownersOf(this.#jobs, selectorOf, pod), gatherMs);
    this.#jobs.on({ delete: ({ metadata }) => this.#backoffs.delete(metadata.uid ?? '') });
  }

  async reconcile(key: string): Promise<Result | undefined> {
    const job = this.#expectations.get(key);
    if (!job?.spec || !isOurs(job)) return;
    const { uid = '' } = job.metadata;
    if (endOf(job)) {
      this.#backoffs.delete(uid);
      return;
    }
    const before = await this.#pods.claim(job, selectorOf(job));
    const plan = planJob(job, before, this.#backoffs.get(uid) ?? noBackoff, this.clock.now());
    const managed = await this.#manage(job, plan);
    const after = podsAfter(before, managed.results);
    const tracked = trackJob({ job, plan, before, after, done: managed.error === undefined, now: this.clock.now() });
    const counted = await this.#updateStatus(job, tracked.status);
    this.#backoffs.set(uid, plan.backoff);
    const released = await slowStartBatch(tracked.release, (pod) => this.#pods.release(pod), tracked.release.length);
    const held = (plan.finished ? before : after).filter((pod) => isTracked(pod) && !released.results.includes(pod));
    const end = settleJob({ ...tracked, status: counted.status ?? {} }, new Set(held.map((pod) => pod.metadata.uid ?? '')));
    const last = await this.#updateStatus(counted, end.status);
    if (end.ended) this.#tellEnd(last);
    const error = managed.error ?? released.error;
    if (error !== undefined) throw error;
    return { requeueAfter: plan.lookAgainIn };
  }

  /** Pods are made only when all that should go are gone. */
  async #manage(job: Job, plan: JobPlan): Promise<Batch<PodChange>> {
    // One that is no longer wanted must not be counted when it ends; one of a job that ends is counted with the status.
    const remove = async (pod: Pod): Promise<PodChange> => {
      if (plan.finished === undefined) await this.#pods.release(pod);
      return this.#control.delete(job, pod);
    };
    const removed = await slowStartBatch(plan.remove, remove, plan.remove.length);
    if (removed.error !== undefined) return removed;
    const wanted = plan.create.map((one) => podOfJob(job, one));
    const created = await this.#control.createAll(job, wanted);
    return { results: [...removed.results, ...created.results], error: created.error };
  }

  async #updateStatus(job: Job, status: JobStatus): Promise<Job> {
    const written = await this.writeStatus(jobs, job, status);
    if (written !== job) this.#expectations.expect(written);
    if (suspension(written) !== suspension(job)) {
      const [reason, message] = suspension(written) === 'True' ? ['Suspended', 'Job suspended'] : ['Resumed', 'Job resumed'];
      this.recorder.event(job, 'Normal', reason, message);
    }
    return written;
  }

  #tellEnd(job: Job): void {
    const failed = job.status?.conditions?.find((c) => c.type === 'Failed');
    if (failed) {
      this.recorder.event(job, 'Warning', failed.reason ?? '', failed.message ?? '');
      return;
    }
    if ((job.status?.succeeded ?? 0) > (job.spec?.completions ?? Number.POSITIVE_INFINITY)) {
      this.recorder.event(job, 'Warning', 'TooManySucceededPods', 'Too many succeeded pods running after completion count reached');
    }
    this.recorder.event(job, 'Normal', 'Completed', 'Job completed');
  }
}

function suspension({ status }: Job): string | undefined {
  return status?.conditions?.find((c) => c.type === 'Suspended')?.status;
}
