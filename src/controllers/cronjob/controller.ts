/** Starts Jobs when CronJobs say, and forgets old ones. */

import { objectKey } from '../../api/object-key.ts';
import { cronJobs, jobs } from '../../api/resource-types.ts';
import type { CronJob, CronJobStatus, Job } from '../../api/schema/types.ts';
import { isAlreadyExists, isNamespaceTerminating, isNotFound } from '../../client/api-error.ts';
import { EventRecorder } from '../../client/event-recorder.ts';
import { runController } from '../../client/run-controller.ts';
import { WorkQueue } from '../../client/work-queue.ts';
import { timestamp } from '../../clock/timestamp.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { ControllerContext } from '../context.ts';
import { Expectations } from '../ownership/expectations.ts';
import { controllerOf } from '../ownership/owner.ts';
import { onOwned } from '../ownership/owners-of.ts';
import { canonical } from '../ownership/template-hash.ts';
import { type CronJobPlan, jobOf, planCronJob, referenceTo } from './desired.ts';

/** Timers run by a clock that nobody sets and that stops while the machine sleeps: nobody trusts one for longer. */
const maxWaitMs = 10 * 60_000;

export async function runCronJobs(context: ControllerContext): Promise<void> {
  const { client, informers, clock, log, signal } = context;
  const recorder = new EventRecorder({ client, component: 'cronjob-controller', clock, log });
  const queue = new WorkQueue({ clock });
  const cronJobInformer = informers.of(cronJobs);
  const jobInformer = informers.of(jobs).addIndex('controller', (job) => [controllerOf(job.metadata)?.uid ?? '']);
  const recentCronJobs = new Expectations(cronJobInformer);
  const recentJobs = new Expectations(jobInformer);
  /** When the schedule was changed, by uid: what the new one says of the time before is no reason to start a job. */
  const changed = new Map<string, number>();

  cronJobInformer.on({
    add: (cronJob) => queue.add(objectKey(cronJob)),
    update(cronJob, { spec: before }) {
      const { spec, metadata } = cronJob;
      if (spec.schedule !== before.schedule || spec.timeZone !== before.timeZone) changed.set(metadata.uid ?? '', clock.now());
      queue.add(objectKey(cronJob));
    },
    delete: ({ metadata }) => changed.delete(metadata.uid ?? ''),
  });
  onOwned(jobInformer, ({ metadata }) => {
    const ref = controllerOf(metadata);
    if (ref?.kind === cronJobs.kind) queue.add(`${metadata.namespace}/${ref.name}`);
  });
  await Promise.all([cronJobInformer.synced, jobInformer.synced]);
  await runController({ name: 'cronjob-controller', queue, reconcile, log, signal });

  async function reconcile(key: string): Promise<void> {
    const known = cronJobInformer.get(key);
    const [cronJob] = known ? recentCronJobs.over([known], () => false) : [];
    if (!cronJob) return;
    const { uid = '' } = cronJob.metadata;
    const owned = recentJobs.over(jobInformer.byIndex('controller', uid), (job) => controllerOf(job.metadata)?.uid === uid);
    const plan = planCronJob(cronJob, [...owned, ...(await unseen(cronJob, owned))], clock.now(), changed.get(uid));
    const removals = Promise.allSettled(plan.remove.map((job) => remove(cronJob, job)));
    const [started] = await Promise.allSettled([run(cronJob, plan)]);
    await writeStatus(cronJob, started.status === 'fulfilled' ? started.value : plan.status);
    for (const { type, reason, message } of plan.events) recorder.event(cronJob, type, reason, message);
    if (plan.lookAgainIn !== undefined) queue.addAfter(key, Math.min(plan.lookAgainIn, maxWaitMs));
    const failed = [started, ...(await removals)].find((one) => one.status === 'rejected');
    if (failed) throw failed.reason;
  }

  /** Starts what is due, once what it replaces is gone; gives the status after that. */
  async function run(cronJob: CronJob, { status, replace, start: due }: CronJobPlan): Promise<CronJobStatus> {
    if (due === undefined) return status;
    await Promise.all(replace.map((job) => remove(cronJob, job)));
    const job = await start(cronJob, due);
    if (!job) return status;
    const others = status.active.filter((ref) => !replace.some((one) => one.metadata.uid === ref.uid));
    return { ...status, active: [...others, referenceTo(job)], lastScheduleTime: timestamp(due) };
  }

  /** Active jobs that the informer does not show, but the server does: after a restart the one may be behind the other. */
  async function unseen({ metadata, status }: CronJob, owned: readonly Job[]): Promise<Job[]> {
    const refs = (status?.active ?? []).filter((ref) => !owned.some((job) => job.metadata.uid === ref.uid));
    const found = await Promise.all(refs.map((ref) => find(metadata.namespace, ref.name ?? '')));
    return found.filter((job) => job !== undefined && refs.some((ref) => ref.uid === job.metadata.uid)) as Job[];
  }

  async function find(namespace: string | undefined, name: string): Promise<Job | undefined> {
    return client.get(jobs, name, { namespace: namespace ?? '', signal }).catch(ignoreGone);
  }

  /** The job, also when it was started before and that was forgotten; undefined when the name is somebody else's. */
  async function start(cronJob: CronJob, due: number): Promise<Job | undefined> {
    const wanted = jobOf(cronJob, due);
    const { name, namespace } = wanted.metadata;
    try {
      const job = recentJobs.expect(await client.create(jobs, wanted, { signal }));
      recorder.event(cronJob, 'Normal', 'SuccessfulCreate', `Created job ${name}`);
      return job;
    } catch (err) {
      const there = isAlreadyExists(err) ? await find(namespace, name) : undefined;
      if (there && controllerOf(there.metadata)?.uid === cronJob.metadata.uid) return recentJobs.expect(there);
      if (!isNamespaceTerminating(err)) recorder.event(cronJob, 'Warning', 'FailedCreate', `Error creating job: ${messageOf(err)}`);
      if (there) return undefined;
      throw err;
    }
  }

  async function remove(cronJob: CronJob, job: Job): Promise<void> {
    const { name, namespace = '', uid } = job.metadata;
    try {
      await client.delete(jobs, name, { namespace, preconditions: { uid }, propagationPolicy: 'Background' }).catch(ignoreGone);
      recentJobs.expectGone(job);
      recorder.event(cronJob, 'Normal', 'SuccessfulDelete', `Deleted job ${name}`);
    } catch (err) {
      recorder.event(cronJob, 'Warning', 'FailedDelete', `Deleted job: ${messageOf(err)}`);
      throw err;
    }
  }

  async function writeStatus(cronJob: CronJob, { active, ...times }: CronJobStatus): Promise<void> {
    const status = { ...times, ...(active?.length ? { active } : {}) };
    if (canonical(status) === canonical(cronJob.status ?? {})) return;
    recentCronJobs.expect(await client.update(cronJobs, { ...cronJob, status }, { subresource: 'status', signal }));
  }
}

function ignoreGone(err: unknown): undefined {
  if (isNotFound(err)) return undefined;
  throw err;
}
