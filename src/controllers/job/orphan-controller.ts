/** Lets go the pods whose Job is gone or has ended: nobody will count them, and their finalizer would hold them for ever. */
import { objectKey } from '../../api/object-key.ts';
import { jobs } from '../../api/resource-types.ts';
import type { Job, Pod } from '../../api/schema/types.ts';
import type { Controller } from '../../client/controller.ts';
import { KeyedController } from '../context.ts';
import { controllerOf } from '../ownership/owner.ts';
import { endOf } from './end-of.ts';
import { isTracked } from './pod-facts.ts';
import { isOfRunningJob, TrackedPods } from './tracked-pods.ts';

export class OrphanPodController extends KeyedController {
  readonly name = 'job-controller';
  readonly #jobs = this.informers.of(jobs);
  readonly #pods = new TrackedPods(this.context);

  setup(controller: Controller): void {
    controller
      .owns(this.#pods.informer, (pod) => (this.#isOrphan(pod) ? [objectKey(pod)] : []))
      .watches(this.#jobs, {
        update: (job) => (endOf(job) ? this.#podsOf(job) : []),
        delete: (job) => this.#podsOf(job),
      });
  }

  /** The key is a pod's. */
  async reconcile(key: string): Promise<undefined> {
    const pod = this.#pods.informer.get(key);
    if (pod && this.#isOrphan(pod)) await this.#pods.release(pod);
  }

  #isOrphan(pod: Pod): boolean {
    return isTracked(pod) && !isOfRunningJob(this.#jobs, pod);
  }

  #podsOf({ metadata: { namespace = '', uid } }: Job): string[] {
    const owned = this.#pods.informer.list(namespace).filter((pod) => controllerOf(pod.metadata)?.uid === uid);
    return owned.filter(isTracked).map(objectKey);
  }
}
