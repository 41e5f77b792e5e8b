/** Rolls Deployments out: one ReplicaSet for each template, sized step by step. */
import { deployments, pods, replicaSets } from '../../api/resource-types.ts';
import type { Deployment, DeploymentStatus, ReplicaSet } from '../../api/schema/types.ts';
import type { Controller, Result } from '../../client/controller.ts';
import { KeyedController } from '../context.ts';
import { Dependents } from '../ownership/dependents.ts';
import { controllerOf } from '../ownership/owner.ts';
import { ownersOf, selectorOf } from '../ownership/owners-of.ts';
import { isActive } from '../ownership/pod-state.ts';
import { beyondHistory, highestRevision, newReplicaSet, type Rollout, revisionAnnotation } from './desired.ts';
import { annotationsAt, draftReplicaSet, revisionFor } from './new-replica-set.ts';
import { ReplicaSetControl } from './replica-set-control.ts';
import { proportionalSizes, recreateSizes, rollingSizes, type Sizes, wasScaled } from './sizes.ts';
import { deploymentStatus, isComplete } from './status.ts';

/** A deadline that is looked at a moment too soon would be waited for once more. */
const deadlineSlackMs = 100;

const zeros = { replicas: 0, updatedReplicas: 0, readyReplicas: 0, availableReplicas: 0, unavailableReplicas: 0 };

export class DeploymentController extends KeyedController {
  readonly name = 'deployment-controller';
  readonly #deployments = this.informers.of(deployments);
  readonly #replicaSets = new Dependents(this.context, replicaSets, deployments);
  readonly #control = new ReplicaSetControl(this.client, this.#replicaSets, this.recorder);
  readonly #pods = this.informers.of(pods);

  setup(controller: Controller): void {
    const owners = (rs: ReplicaSet): string[] => ownersOf(this.#deployments, selectorOf, rs);
    controller
      .for(this.#deployments)
      .owns(this.#replicaSets.informer, owners)
      // Recreate waits until the last old pod is gone.
      .watches(this.#pods, {
        delete: (pod) => {
          const ref = controllerOf(pod.metadata);
          const rs = ref?.kind === replicaSets.kind ? this.#replicaSets.informer.get(`${pod.metadata.namespace}/${ref.name}`) : undefined;
          return rs ? owners(rs) : [];
        },
      });
  }

  async reconcile(key: string): Promise<Result | undefined> {
    const deployment = this.#deployments.get(key);
    if (!deployment?.spec) return;
    const owned = await this.#replicaSets.claim(deployment, selectorOf(deployment));
    if (deployment.metadata.deletionTimestamp) {
      const fresh = newReplicaSet(deployment, owned);
      const { result } = await this.#updateStatus({ deployment, fresh, old: owned.filter((rs) => rs !== fresh), isNew: false });
      return result;
    }
    const begun = await this.#begin(deployment, owned);
    // The name is taken: the status says so now, and the news of it brings the next attempt.
    if (!begun) return;
    const rollout = await this.#resize(begun);
    const { status, result } = await this.#updateStatus(rollout);
    // While a rollout is under way, what it might go back to stays.
    if (deployment.spec.paused || isComplete(rollout.deployment, status)) {
      for (const rs of beyondHistory(deployment, rollout.old)) await this.#replicaSets.delete(rs, { propagationPolicy: 'Background' });
    }
    return result;
  }

  /** With the ReplicaSet of the present template, made or brought up to date. Undefined when its name is somebody else's. */
  async #begin(deployment: Deployment, owned: readonly ReplicaSet[]): Promise<Rollout | undefined> {
    const found = newReplicaSet(deployment, owned);
    if (found) {
      const old = owned.filter((rs) => rs !== found);
      const revision = revisionFor(found, old);
      const fresh = await this.#control.annotate(deployment, found, annotationsAt(revision, deployment, found));
      return { deployment: await this.#withRevision(deployment, revision), fresh, old, isNew: false };
    }
    if (deployment.spec?.paused || this.#waitsForOldPods(deployment, owned)) {
      return { deployment, fresh: undefined, old: owned, isNew: false };
    }
    const revision = highestRevision(owned) + 1n;
    const draft = draftReplicaSet(deployment, revision);
    const replicas = this.#sizesOf({ deployment, fresh: draft, old: owned }).get(draft.metadata.name) ?? 0;
    const fresh = await this.#control.create(deployment, draft, replicas);
    return fresh && { deployment: await this.#withRevision(deployment, revision), fresh, old: owned, isNew: true };
  }

  #waitsForOldPods(deployment: Deployment, owned: readonly ReplicaSet[]): boolean {
    if (deployment.spec?.strategy?.type !== 'Recreate') return false;
    return owned.some((rs) => (rs.spec?.replicas ?? 0) > 0) || this.#podsRunIn(owned);
  }

  #podsRunIn(sets: readonly ReplicaSet[]): boolean {
    // Most often there are none, and all pods of the cluster need not be looked at for that.
    if (sets.length === 0) return false;
    const uids = new Set(sets.map((rs) => rs.metadata.uid));
    return this.#pods
      .list(sets[0]?.metadata.namespace)
      .some((p) => uids.has(controllerOf(p.metadata)?.uid) && (isActive(p) || p.metadata.deletionTimestamp !== undefined));
  }

  #sizesOf(rollout: Omit<Rollout, 'isNew'>): Sizes {
    const { deployment, fresh, old } = rollout;
    const all = fresh ? [fresh, ...old] : old;
    if (deployment.spec?.paused || wasScaled(deployment, all)) return proportionalSizes(deployment, fresh, old);
    if (deployment.spec?.strategy?.type === 'Recreate') return recreateSizes(rollout, this.#podsRunIn(old));
    return fresh ? rollingSizes(deployment, fresh, old) : new Map();
  }

  /** Gives the Deployment of the version that its status is written with in the same pass. */
  async #withRevision(deployment: Deployment, revision: bigint): Promise<Deployment> {
    const annotations = { [revisionAnnotation]: String(revision) };
    if (deployment.metadata.annotations?.[revisionAnnotation] === annotations[revisionAnnotation]) return deployment;
    const all = { ...deployment.metadata.annotations, ...annotations };
    const revised = { ...deployment, metadata: { ...deployment.metadata, annotations: all } };
    // Not as a change of what is wanted, which would count the generation up.
    const { metadata } = await this.client.update(deployments, revised, { subresource: 'status' });
    return { ...deployment, metadata };
  }

  async #resize(rollout: Rollout): Promise<Rollout> {
    const { deployment, fresh, old } = rollout;
    const sizes = this.#sizesOf(rollout);
    const sized: ReplicaSet[] = [];
    for (const rs of old) {
      const scaled = await this.#control.scale(deployment, rs, sizes);
      if (scaled) sized.push(scaled);
    }
    return { ...rollout, old: sized, fresh: fresh && (await this.#control.scale(deployment, fresh, sizes)) };
  }

  async #updateStatus(rollout: Rollout): Promise<{ status: DeploymentStatus; result: Result | undefined }> {
    const { status, lookAgainIn } = deploymentStatus(rollout, this.clock.now());
    const result = lookAgainIn === undefined ? undefined : { requeueAfter: lookAgainIn + deadlineSlackMs };
    await this.writeStatus(deployments, rollout.deployment, status, zeros);
    return { status, result };
  }
}
