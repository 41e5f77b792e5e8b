/** Runs the pods of Jobs to completion, and lets every pod go once it is counted. */

import { objectKey } from '../../api/object-key.ts';
import { jobs, pods } from '../../api/resource-types.ts';
import type { Job, JobStatus, Pod } from '../../api/schema/types.ts';
import { labelSelectorOf } from '../../api/selector/label.ts';
import { isNamespaceTerminating, isNotFound } from '../../client/api-error.ts';
import { EventRecorder } from '../../client/event-recorder.ts';
import { runController } from '../../client/run-controller.ts';
import { WorkQueue } from '../../client/work-queue.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { ControllerContext } from '../context.ts';
import { claimAll } from '../ownership/claimer.ts';
import { Expectations } from '../ownership/expectations.ts';
import { inGrowingBatches } from '../ownership/growing-batches.ts';
import { controllerOf } from '../ownership/owner.ts';
import { onOwned, ownersOf } from '../ownership/owners-of.ts';
import { isLeaving } from '../ownership/pod-state.ts';
import { canonical } from '../ownership/template-hash.ts';
import { type Backoff, noBackoff } from './backoff.ts';
import { type NewPod, planJob } from './desired.ts';
import { endOf } from './end-of.ts';
import { podOfJob } from './new-pod.ts';
import { isTracked, trackingFinalizer } from './pod-facts.ts';
import { settleJob, trackJob } from './tracking.ts';

/** News of pods is gathered for so long, so that pods that end together cost one write. Upstream waits a second. */
const gatherMs = 50;
const manager = 'kubernetes.io/job-controller';

export async function runJobs(context: ControllerContext): Promise<void> {
  const { client, informers, clock, log, signal } = context;
  const recorder = new EventRecorder({ client, component: 'job-controller', clock, log });
  const queue = new WorkQueue({ clock });
  /** Pods whose job is gone or has ended: nobody will count them. */
  const orphans = new WorkQueue({ clock });
  const jobInformer = informers.of(jobs).addIndex('namespace', (j) => [j.metadata.namespace ?? '']);
  const podInformer = informers.of(pods).addIndex('namespace', (p) => [p.metadata.namespace ?? '']);
  const recentPods = new Expectations(podInformer);
  const recentJobs = new Expectations(jobInformer);
  /** By the uid of the job. */
  const backoffs = new Map<string, Backoff>();

  const wakeOwner = (pod: Pod): void => {
    if (isTracked(pod) && !isOfRunningJob(pod)) orphans.add(objectKey(pod));
    for (const key of ownersOf(jobInformer, (j) => labelSelectorOf(j.spec?.selector ?? {}), pod)) queue.addAfter(key, gatherMs);
  };
  const wakePods = (job: Job): void => {
    for (const pod of podInformer.byIndex('namespace', job.metadata.namespace ?? '')) {
      if (controllerOf(pod.metadata)?.uid === job.metadata.uid && isTracked(pod)) orphans.add(objectKey(pod));
    }
  };
  jobInformer.on({
    add: (job) => queue.add(objectKey(job)),
    update(job) {
      if (isFinished(job)) wakePods(job);
      queue.add(objectKey(job));
    },
    delete(job) {
      backoffs.delete(job.metadata.uid ?? '');
      wakePods(job);
    },
  });
  onOwned(podInformer, wakeOwner);
  await Promise.all([jobInformer.synced, podInformer.synced]);
  await Promise.all([
    runController({ name: 'job-controller', queue, reconcile, log, signal }),
    runController({ name: 'job-controller', queue: orphans, reconcile: letGo, log, signal }),
  ]);

  async function reconcile(key: string): Promise<void> {
    const [job] = recentJobs.over(
      [jobInformer.get(key)].filter((j) => j !== undefined),
      () => false,
    );
    if (!job?.spec || (job.spec.managedBy !== undefined && job.spec.managedBy !== manager)) return;
    const { namespace = '', uid = '' } = job.metadata;
    if (isFinished(job)) {
      backoffs.delete(uid);
      return;
    }
    const selector = labelSelectorOf(job.spec.selector ?? {});
    const candidates = recentPods.over(podInformer.byIndex('namespace', namespace), (p) => p.metadata.namespace === namespace);
    const before = await claimAll(client, pods, jobs, job, selector, candidates, trackingFinalizer);
    const plan = planJob(job, before, backoffs.get(uid) ?? noBackoff, clock.now());
    const after = [...before];
    let failure: unknown;
    try {
      // One that is no longer wanted must not be counted when it ends; one of a job that ends is counted below.
      await Promise.all(plan.remove.map((pod) => remove(job, pod, after, plan.finished === undefined)));
      await create(job, plan.create, after);
    } catch (err) {
      failure = err;
    }
    const tracked = trackJob({ job, plan, before, after, done: failure === undefined, now: clock.now() });
    let current = await writeStatus(job, tracked.status);
    backoffs.set(uid, plan.backoff);
    const left = await Promise.allSettled(tracked.release.map(release));
    const released = new Set(tracked.release.filter((_, i) => left[i]?.status === 'fulfilled'));
    const held = (plan.finished ? before : after).filter((pod) => isTracked(pod) && !released.has(pod));
    const settled = settleJob({ ...tracked, status: current.status ?? {} }, new Set(held.map((pod) => pod.metadata.uid ?? '')));
    current = await writeStatus(current, settled.status);
    if (settled.ended) tellEnd(current);
    if (plan.lookAgainIn !== undefined) queue.addAfter(key, plan.lookAgainIn);
    failure ??= left.find((one) => one.status === 'rejected')?.reason;
    if (failure !== undefined) throw failure;
  }

  async function create(job: Job, wanted: readonly NewPod[], after: Pod[]): Promise<void> {
    await inGrowingBatches(wanted, async (one) => {
      const pod = recentPods.expect(await client.create(pods, podOfJob(job, one), { signal }));
      after.push(pod);
      recorder.event(job, 'Normal', 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`);
    }).catch((err: unknown) => {
      if (!isNamespaceTerminating(err)) recorder.event(job, 'Warning', 'FailedCreate', `Error creating: ${messageOf(err)}`);
      throw err;
    });
  }

  async function remove(job: Job, pod: Pod, after: Pod[], uncounted: boolean): Promise<void> {
    if (uncounted) await release(pod);
    const { name, namespace = '', uid } = pod.metadata;
    const answer = await client.delete(pods, name, { namespace, preconditions: { uid } }).catch(ignoreGone);
    if (isLeaving(answer)) after[after.indexOf(pod)] = recentPods.expect(answer);
    else {
      recentPods.expectGone(pod);
      after.splice(after.indexOf(pod), 1);
    }
    recorder.event(job, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
  }

  /** Takes the finalizer away, and with it the pod, if it was deleted meanwhile. */
  async function release(pod: Pod): Promise<void> {
    const { name, namespace = '', uid } = pod.metadata;
    const patch = { metadata: { uid, '$deleteFromPrimitiveList/finalizers': [trackingFinalizer] } };
    const answer = await client.patch(pods, name, patch, { namespace, kind: 'strategic' }).catch(ignoreGone);
    const { deletionTimestamp, deletionGracePeriodSeconds = 0, finalizers = [] } = answer?.metadata ?? {};
    // A server may answer with the pod as it was before it went.
    const gone = !answer || isTracked(answer) || (deletionTimestamp && deletionGracePeriodSeconds === 0 && finalizers.length === 0);
    if (gone) recentPods.expectGone(pod);
    else recentPods.expect(answer);
  }

  async function writeStatus(job: Job, status: JobStatus): Promise<Job> {
    if (canonical(status) === canonical(job.status)) return job;
    const written = recentJobs.expect(await client.update(jobs, { ...job, status }, { subresource: 'status' }));
    const suspended = (one: Job): string | undefined => one.status?.conditions?.find((c) => c.type === 'Suspended')?.status;
    if (suspended(written) !== suspended(job)) {
      const [reason, message] = suspended(written) === 'True' ? ['Suspended', 'Job suspended'] : ['Resumed', 'Job resumed'];
      recorder.event(job, 'Normal', reason, message);
    }
    return written;
  }

  function tellEnd(job: Job): void {
    const failed = job.status?.conditions?.find((c) => c.type === 'Failed');
    if (failed) recorder.event(job, 'Warning', failed.reason ?? '', failed.message ?? '');
    else {
      if ((job.status?.succeeded ?? 0) > (job.spec?.completions ?? Number.POSITIVE_INFINITY)) {
        recorder.event(job, 'Warning', 'TooManySucceededPods', 'Too many succeeded pods running after completion count reached');
      }
      recorder.event(job, 'Normal', 'Completed', 'Job completed');
    }
  }

  async function letGo(key: string): Promise<void> {
    const pod = podInformer.get(key);
    if (pod && isTracked(pod) && !isOfRunningJob(pod)) await release(pod);
  }

  /** Also for a pod of another kind of owner, or of a job that somebody else runs: it is not ours to touch. */
  function isOfRunningJob(pod: Pod): boolean {
    const ref = controllerOf(pod.metadata);
    if (!ref) return false;
    if (ref.kind !== 'Job' || ref.apiVersion !== 'batch/v1') return true;
    const job = jobInformer.get(`${pod.metadata.namespace}/${ref.name}`);
    return job?.metadata.uid === ref.uid && (!isFinished(job) || (job.spec?.managedBy ?? manager) !== manager);
  }
}

function isFinished(job: Job): boolean {
  return endOf(job) !== undefined;
}

function ignoreGone(err: unknown): undefined {
  if (isNotFound(err)) return undefined;
  throw err;
}
