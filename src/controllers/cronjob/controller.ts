/** Starts Jobs when CronJobs say, and forgets old ones. */
import { cronJobs, jobs } from '../../api/resource-types.ts';
import type { CronJob, CronJobStatus, Job } from '../../api/schema/types.ts';
import { ignoreNotFound, isAlreadyExists, isNamespaceTerminating } from '../../client/api-error.ts';
import type { Controller, Result } from '../../client/controller.ts';
import { referenceTo } from '../../client/event-recorder.ts';
import { timestamp } from '../../clock/timestamp.ts';
import { messageOf } from '../../errors/known-error.ts';
import { KeyedController } from '../context.ts';
import { Dependents } from '../ownership/dependents.ts';
import { Expectations } from '../ownership/expectations.ts';
import { controllerOf } from '../ownership/owner.ts';
import { slowStartBatch } from '../ownership/slow-start.ts';
import { type CronJobPlan, jobOf, planCronJob } from './desired.ts';

/** Timers run by a clock that nobody sets and that stops while the machine sleeps: nobody trusts one for longer. */
const maxWaitMs = 10 * 60_000;

/** What came of starting a job. */
interface Started {
  readonly status: CronJobStatus;
  readonly error?: unknown;
}

export class CronJobController extends KeyedController {
  readonly name = 'cronjob-controller';
  readonly #cronJobs = this.informers.of(cronJobs);
  /** Of the status of the CronJobs themselves. */
  readonly #expectations = new Expectations(this.#cronJobs);
  readonly #jobs = new Dependents(this.context, jobs, cronJobs);
  /** When the schedule was changed, by uid: what the new one says of the time before is no reason to start a job. */
  readonly #changed = new Map<string, number>();

  setup(controller: Controller): void {
    this.#cronJobs.on({
      update: ({ spec, metadata }, { spec: before }) => {
        if (spec.schedule !== before.schedule || spec.timeZone !== before.timeZone) {
          this.#changed.set(metadata.uid ?? '', this.clock.now());
        }
      },
      delete: ({ metadata }) => this.#changed.delete(metadata.uid ?? ''),
    });
    controller.for(this.#cronJobs).owns(this.#jobs.informer, ({ metadata }) => {
      const ref = controllerOf(metadata);
      return ref?.kind === cronJobs.kind ? [`${metadata.namespace}/${ref.name}`] : [];
    });
  }

  async reconcile(key: string): Promise<Result | undefined> {
    const cronJob = this.#expectations.get(key);
    if (!cronJob) return;
    const { uid = '', namespace = '' } = cronJob.metadata;
    const owned = this.#jobs.in(namespace).filter((job) => controllerOf(job.metadata)?.uid === uid);
    const known = [...owned, ...(await this.#unseen(cronJob, owned))];
    const plan = planCronJob(cronJob, known, this.clock.now(), this.#changed.get(uid));
    const [removed, started] = await Promise.all([
      slowStartBatch(plan.remove, (job) => this.#delete(cronJob, job), plan.remove.length),
      this.#start(cronJob, plan).catch((error: unknown): Started => ({ status: plan.status, error })),
    ]);
    await this.#writeStatus(cronJob, started.status);
    for (const { type, reason, message } of plan.events) this.recorder.event(cronJob, type, reason, message);
    const error = started.error ?? removed.error;
    if (error !== undefined) throw error;
    return plan.lookAgainIn === undefined ? undefined : { requeueAfter: Math.min(plan.lookAgainIn, maxWaitMs) };
  }

  /** Starts what is due, once what it replaces is gone. */
  async #start(cronJob: CronJob, { status, replace, start: due }: CronJobPlan): Promise<Started> {
    if (due === undefined) return { status };
    await Promise.all(replace.map((job) => this.#delete(cronJob, job)));
    const job = await this.#create(cronJob, due);
    if (!job) return { status };
    const others = status.active.filter((ref) => !replace.some((one) => one.metadata.uid === ref.uid));
    return { status: { ...status, active: [...others, referenceTo(job)], lastScheduleTime: timestamp(due) } };
  }

  /** Active jobs that the informer does not show, but the server does: after a restart the one may be behind the other. */
  async #unseen({ metadata, status }: CronJob, owned: readonly Job[]): Promise<Job[]> {
    const refs = (status?.active ?? []).filter((ref) => !owned.some((job) => job.metadata.uid === ref.uid));
    const found = await Promise.all(refs.map((ref) => this.#find(metadata.namespace, ref.name ?? '')));
    return found.filter((job) => job !== undefined && refs.some((ref) => ref.uid === job.metadata.uid)) as Job[];
  }

  async #find(namespace: string | undefined, name: string): Promise<Job | undefined> {
    return this.client.get(jobs, name, { namespace: namespace ?? '' }).catch(ignoreNotFound);
  }

  /** The job, also when it was started before and that was forgotten; undefined when the name is somebody else's. */
  async #create(cronJob: CronJob, due: number): Promise<Job | undefined> {
    const wanted = jobOf(cronJob, due);
    const { name, namespace } = wanted.metadata;
    try {
      const job = await this.#jobs.create(wanted);
      this.recorder.event(cronJob, 'Normal', 'SuccessfulCreate', `Created job ${name}`);
      return job;
    } catch (err) {
      const there = isAlreadyExists(err) ? await this.#find(namespace, name) : undefined;
      if (there && controllerOf(there.metadata)?.uid === cronJob.metadata.uid) return there;
      if (!isNamespaceTerminating(err)) this.recorder.event(cronJob, 'Warning', 'FailedCreate', `Error creating job: ${messageOf(err)}`);
      if (there) return undefined;
      throw err;
    }
  }

  async #delete(cronJob: CronJob, job: Job): Promise<void> {
    try {
      const { found } = await this.#jobs.delete(job, { propagationPolicy: 'Background' });
      if (found) this.recorder.event(cronJob, 'Normal', 'SuccessfulDelete', `Deleted job ${job.metadata.name}`);
    } catch (err) {
      this.recorder.event(cronJob, 'Warning', 'FailedDelete', `Deleted job: ${messageOf(err)}`);
      throw err;
    }
  }

  async #writeStatus(cronJob: CronJob, { active, ...times }: CronJobStatus): Promise<void> {
    const status = { ...times, ...(active?.length ? { active } : {}) };
    const written = await this.writeStatus(cronJobs, cronJob, status);
    if (written !== cronJob) this.#expectations.expect(written);
  }
}
