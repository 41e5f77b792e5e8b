/** The PersistentVolumeClaims of a StatefulSet's pods: made before the pod, and owned as the retention policy says. */
import { objectKey } from '../../api/object-key.ts';
import { persistentVolumeClaims, statefulSets } from '../../api/resource-types.ts';
import type { PersistentVolumeClaim, Pod, StatefulSet } from '../../api/schema/types.ts';
import { isAlreadyExists } from '../../client/api-error.ts';
import type { EventRecorder } from '../../client/event-recorder.ts';
import type { Informer } from '../../client/informer.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { ControllerContext } from '../context.ts';
import { Dependents } from '../ownership/dependents.ts';
import { claimOwners, claimsFor, isClaimOfFormerPod, ordinalOf } from './pod-identity.ts';

export class ClaimControl {
  readonly #claims: Dependents<PersistentVolumeClaim>;
  readonly #recorder: EventRecorder;

  constructor(context: ControllerContext, recorder: EventRecorder) {
    this.#claims = new Dependents(context, persistentVolumeClaims, statefulSets);
    this.#recorder = recorder;
  }

  get informer(): Informer<PersistentVolumeClaim> {
    return this.#claims.informer;
  }

  /** A new pod has its claims then. False while one still waits to go with an earlier pod of that name. */
  async provide(set: StatefulSet, ordinal: number, podName: string): Promise<boolean> {
    for (const claim of claimsFor(set, ordinal)) {
      const there = this.#claims.get(objectKey(claim));
      if (there && isClaimOfFormerPod(set, ordinal, there)) return false;
      if (!there) await this.#create(set, podName, claim);
    }
    return true;
  }

  /** A pod that waits gets claims that went missing; all get the owners that the retention policy asks for. */
  async keep(set: StatefulSet, pod: Pod): Promise<void> {
    for (const claim of claimsFor(set, ordinalOf(set, pod) ?? 0)) {
      const there = this.#claims.get(objectKey(claim));
      if (!there) {
        if (pod.status?.phase === 'Pending' && !pod.metadata.deletionTimestamp) await this.#create(set, pod.metadata.name, claim);
        continue;
      }
      const ownerReferences = claimOwners(set, pod, there);
      if (ownerReferences) await this.#claims.update({ ...there, metadata: { ...there.metadata, ownerReferences } });
    }
  }

  async #create(set: StatefulSet, podName: string, claim: PersistentVolumeClaim): Promise<void> {
    const what = `create Claim ${claim.metadata.name}`;
    try {
      await this.#claims.create(claim);
      this.#recorder.event(set, 'Normal', 'SuccessfulCreate', `${what} Pod ${podName} in StatefulSet ${set.metadata.name} success`);
    } catch (err) {
      if (isAlreadyExists(err)) return;
      const text = `${what} for Pod ${podName} in StatefulSet ${set.metadata.name} failed error: ${messageOf(err)}`;
      this.#recorder.event(set, 'Warning', 'FailedCreate', text);
      throw err;
    }
  }
}
