/** Makes and deletes pods in the name of their owner, and tells the cluster of it: upstream's PodControl, with its words. */
import type { KubeObject } from '../../api/resource-types.ts';
import type { Pod } from '../../api/schema/types.ts';
import { isAlreadyExists, isConflict, isNamespaceTerminating } from '../../client/api-error.ts';
import type { EventRecorder } from '../../client/event-recorder.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { Dependents } from './dependents.ts';
import { type Batch, slowStartBatch } from './slow-start.ts';

/** What the events say; `why` is there when it failed. */
export type Wording = (verb: 'create' | 'delete', pod: string, owner: string, why?: string) => string;

const plainWording: Wording = (verb, pod, _owner, why) => {
  const [done, doing] = verb === 'create' ? ['Created', 'creating'] : ['Deleted', 'deleting'];
  return why === undefined ? `${done} pod: ${pod}` : `Error ${doing}: ${why}`;
};

/** A pod before and after a write: made when there was none before, gone when there is none after. */
export interface PodChange {
  readonly before: Pod | undefined;
  readonly after: Pod | undefined;
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

  async create(owner: KubeObject, wanted: Pod): Promise<PodChange> {
    try {
      const after = await this.#pods.create(wanted);
      this.#recorder.event(owner, 'Normal', 'SuccessfulCreate', this.#wording('create', after.metadata.name, owner.metadata.name));
      return { before: undefined, after };
    } catch (err) {
      this.tellCreateFailed(owner, wanted, err);
      throw err;
    }
  }

  /** Nobody is told that a namespace ends, or that a pod of that name is there already. */
  tellCreateFailed(owner: KubeObject, wanted: Pod, err: unknown): void {
    if (isNamespaceTerminating(err) || isAlreadyExists(err)) return;
    const message = this.#wording('create', wanted.metadata.name, owner.metadata.name, messageOf(err));
    this.#recorder.event(owner, 'Warning', 'FailedCreate', message);
  }

  /** Nobody is told of a pod that was gone already, or that another one has its name: no failure, only old news. */
  async delete(owner: KubeObject, pod: Pod): Promise<PodChange> {
    const { name: ownerName } = owner.metadata;
    const { name } = pod.metadata;
    try {
      const { found, left } = await this.#pods.delete(pod);
      if (found) this.#recorder.event(owner, 'Normal', 'SuccessfulDelete', this.#wording('delete', name, ownerName));
      return { before: pod, after: left };
    } catch (err) {
      const message = this.#wording('delete', name, ownerName, messageOf(err));
      if (!isConflict(err)) this.#recorder.event(owner, 'Warning', 'FailedDelete', message);
      throw err;
    }
  }

  /** A slow start, so that a refusal costs little. */
  createAll(owner: KubeObject, wanted: readonly Pod[]): Promise<Batch<PodChange>> {
    return slowStartBatch(wanted, (pod) => this.create(owner, pod));
  }

  /** All at once. */
  deleteAll(owner: KubeObject, pods: readonly Pod[]): Promise<Batch<PodChange>> {
    return slowStartBatch(pods, (pod) => this.delete(owner, pod), pods.length);
  }
}

/** What the owner of `pods` has once they changed so. */
export function podsAfter(pods: readonly Pod[], changes: readonly PodChange[]): Pod[] {
  const changed = new Map(changes.map(({ before, after }) => [before, after]));
  const made = changes.flatMap(({ before, after }) => (before === undefined && after !== undefined ? [after] : []));
  return [...pods.flatMap((pod) => (changed.has(pod) ? (changed.get(pod) ?? []) : [pod])), ...made];
}
