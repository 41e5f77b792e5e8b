/** Makes and deletes pods in the name of their owner, and tells the cluster of it: upstream's PodControl, with its words. */
import type { KubeObject } from '../../api/resource-types.ts';
import type { Pod } from '../../api/schema/types.ts';
import { isConflict, isNamespaceTerminating } from '../../client/api-error.ts';
import type { EventRecorder } from '../../client/event-recorder.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { Dependents } from './dependents.ts';
import { type Batch, slowStartBatch } from './slow-start.ts';

/** What the events say. */
export interface Wording {
  created(pod: string, owner: string): string;
  createFailed(pod: string, owner: string, why: string): string;
  deleted(pod: string, owner: string): string;
  deleteFailed(pod: string, owner: string, why: string): string;
}

const plainWording: Wording = {
  created: (pod) => `Created pod: ${pod}`,
  createFailed: (_pod, _owner, why) => `Error creating: ${why}`,
  deleted: (pod) => `Deleted pod: ${pod}`,
  deleteFailed: (_pod, _owner, why) => `Error deleting: ${why}`,
};

export interface Deletion {
  readonly pod: Pod;
  /** The pod while its grace or a finalizer holds it. */
  readonly left: Pod | undefined;
}

export class PodControl {
  readonly #pods: Dependents<Pod>;
  readonly #recorder: EventRecorder;
  readonly #wording: Wording;

  constructor(pods: Dependents<Pod>, recorder: EventRecorder, wording: Wording = plainWording) {
    this.#pods = pods;
    this.#recorder = recorder;
    this.#wording = wording;
  }

  async create(owner: KubeObject, wanted: Pod): Promise<Pod> {
    const { name: ownerName } = owner.metadata;
    try {
      const pod = await this.#pods.create(wanted);
      this.#recorder.event(owner, 'Normal', 'SuccessfulCreate', this.#wording.created(pod.metadata.name, ownerName));
      return pod;
    } catch (err) {
      const message = this.#wording.createFailed(wanted.metadata.name, ownerName, messageOf(err));
      if (!isNamespaceTerminating(err)) this.#recorder.event(owner, 'Warning', 'FailedCreate', message);
      throw err;
    }
  }

  async delete(owner: KubeObject, pod: Pod): Promise<Deletion> {
    const { name: ownerName } = owner.metadata;
    const { name } = pod.metadata;
    try {
      const left = await this.#pods.delete(pod);
      this.#recorder.event(owner, 'Normal', 'SuccessfulDelete', this.#wording.deleted(name, ownerName));
      return { pod, left };
    } catch (err) {
      // A conflict says that the pod is gone and another one has its name: no failure, only old news.
      const message = this.#wording.deleteFailed(name, ownerName, messageOf(err));
      if (!isConflict(err)) this.#recorder.event(owner, 'Warning', 'FailedDelete', message);
      throw err;
    }
  }

  /** A slow start, so that a refusal costs little. */
  createAll(owner: KubeObject, wanted: readonly Pod[]): Promise<Batch<Pod>> {
    return slowStartBatch(wanted, (pod) => this.create(owner, pod));
  }

  /** All at once. */
  deleteAll(owner: KubeObject, pods: readonly Pod[]): Promise<Batch<Deletion>> {
    return slowStartBatch(pods, (pod) => this.delete(owner, pod), pods.length);
  }
}

/** What an owner of `pods` has after these writes. */
export function podsAfter(pods: readonly Pod[], created: readonly Pod[], deleted: readonly Deletion[] = []): Pod[] {
  const left = new Map(deleted.map((deletion) => [deletion.pod, deletion.left]));
  return [...pods.flatMap((pod) => (left.has(pod) ? (left.get(pod) ?? []) : [pod])), ...created];
}
