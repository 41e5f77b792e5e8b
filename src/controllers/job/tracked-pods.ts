/** The pods of Jobs, with the finalizer that holds a pod until it is counted. */
import { jobs, pods } from '../../api/resource-types.ts';
import type { Job, Pod } from '../../api/schema/types.ts';
import type { Informer } from '../../client/informer.ts';
import type { ControllerContext } from '../context.ts';
import { Dependents } from '../ownership/dependents.ts';
import { controllerOf } from '../ownership/owner.ts';
import { endOf } from './end-of.ts';
import { isTracked, trackingFinalizer } from './pod-facts.ts';

const manager = 'kubernetes.io/job-controller';

/** Somebody else may run it; then it is not ours to touch. */
export function isOurs({ spec }: Job): boolean {
  return (spec?.managedBy ?? manager) === manager;
}

/** Whether somebody will still count the pod. Also true of what is no Job's, or not ours. */
export function isOfRunningJob(running: Informer<Job>, { metadata }: Pod): boolean {
  const ref = controllerOf(metadata);
  if (!ref) return false;
  if (ref.kind !== jobs.kind || ref.apiVersion !== 'batch/v1') return true;
  const job = running.get(`${metadata.namespace}/${ref.name}`);
  return job?.metadata.uid === ref.uid && (!endOf(job) || !isOurs(job));
}

export class TrackedPods extends Dependents<Pod> {
  constructor(context: ControllerContext) {
    super(context, pods, jobs, trackingFinalizer);
  }

  /** Takes the finalizer away, and with it the pod, if it was deleted meanwhile. */
  async release(pod: Pod): Promise<Pod> {
    const answer = await this.patch(pod, { metadata: { '$deleteFromPrimitiveList/finalizers': [trackingFinalizer] } }, 'strategic');
    const { deletionTimestamp, deletionGracePeriodSeconds = 0, finalizers = [] } = answer?.metadata ?? {};
    // A server may answer with the pod as it was before it went.
    const isGone = answer && (isTracked(answer) || (deletionTimestamp && deletionGracePeriodSeconds === 0 && finalizers.length === 0));
    if (isGone) this.expectGone(pod);
    return pod;
  }
}
