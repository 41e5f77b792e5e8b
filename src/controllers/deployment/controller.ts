/** Rolls Deployments out: one ReplicaSet for each template, sized step by step. */

import { objectKey } from '../../api/object-key.ts';
import { deployments, pods, replicaSets } from '../../api/resource-types.ts';
import type { Deployment, DeploymentStatus, ReplicaSet } from '../../api/schema/types.ts';
import { labelSelectorOf } from '../../api/selector/label.ts';
import { isAlreadyExists, isNotFound } from '../../client/api-error.ts';
import { runController } from '../../client/controller.ts';
import { EventRecorder } from '../../client/event-recorder.ts';
import { WorkQueue } from '../../client/work-queue.ts';
import type { ControllerContext } from '../context.ts';
import { claimAll } from '../ownership/claimer.ts';
import { controllerOf, controllerRef } from '../ownership/owner.ts';
import { onOwned, ownersOf } from '../ownership/owners-of.ts';
import { isActive } from '../ownership/pod-state.ts';
import { RecentWrites } from '../ownership/recent-writes.ts';
import { canonical, templateHash } from '../ownership/template-hash.ts';
import {
  beyondHistory,
  deploymentStatus,
  hashLabel,
  hasTemplateOf,
  highestRevision,
  isComplete,
  newReplicaSet,
  proportionalSizes,
  recreateSizes,
  replicaSetAnnotations,
  revisionAnnotation,
  revisionHistoryAnnotation,
  revisionOf,
  rollingSizes,
  type Sizes,
  wasScaled,
} from './desired.ts';

export async function runDeployments(context: ControllerContext): Promise<void> {
  const { client, informers, clock, log, signal } = context;
  const recorder = new EventRecorder({ client, component: 'deployment-controller', clock, log });
  const queue = new WorkQueue({ clock });
  const deploymentInformer = informers.of(deployments).addIndex('namespace', (d) => [d.metadata.namespace ?? '']);
  const setInformer = informers.of(replicaSets);
  const podInformer = informers.of(pods).addIndex('namespace', (p) => [p.metadata.namespace ?? '']);
  const recent = new RecentWrites(setInformer);

  deploymentInformer.on({
    add: (d) => queue.add(objectKey(d)),
    update: (d) => queue.add(objectKey(d)),
    delete: (d) => queue.add(objectKey(d)),
  });
  const wakeOwner = (rs: ReplicaSet): void => {
    for (const key of ownersOf(deploymentInformer, (d) => labelSelectorOf(d.spec?.selector ?? {}), rs)) queue.add(key);
  };
  onOwned(setInformer, wakeOwner);
  // Recreate waits until the last old pod is gone.
  podInformer.on({
    delete(pod) {
      const ref = controllerOf(pod.metadata);
      const rs = ref?.kind === 'ReplicaSet' ? setInformer.get(`${pod.metadata.namespace}/${ref.name}`) : undefined;
      if (rs) wakeOwner(rs);
    },
  });
  await Promise.all([deploymentInformer.synced, setInformer.synced, podInformer.synced]);
  await runController({ name: 'deployment-controller', queue, reconcile, log, signal });

  async function reconcile(key: string): Promise<void> {
    const found = deploymentInformer.get(key);
    if (!found?.spec) return;
    // Our own shell: this round may write the metadata before it writes the status.
    const { spec } = found;
    const deployment: Deployment = { ...found };
    const namespace = deployment.metadata.namespace ?? '';
    const selector = labelSelectorOf(spec.selector);
    const candidates = recent.over(setInformer.list(namespace), (rs) => rs.metadata.namespace === namespace);
    const owned = await claimAll(client, replicaSets, deployments, deployment, selector, candidates);
    let fresh = newReplicaSet(deployment, owned);
    let isNew = false;
    if (deployment.metadata.deletionTimestamp) {
      await writeStatus(deployment, fresh, owned);
      return;
    }
    if (!fresh && !spec.paused) {
      const recreateWaits = spec.strategy?.type === 'Recreate' && (owned.some((rs) => (rs.spec?.replicas ?? 0) > 0) || podsRunIn(owned));
      if (!recreateWaits) {
        fresh = await createReplicaSet(deployment, owned);
        // The name is taken: the status says so now, and the news of it brings the next attempt.
        if (!fresh) return;
        isNew = true;
        owned.push(fresh);
      }
    } else if (fresh) fresh = await keepAnnotations(deployment, fresh, owned);
    const old = owned.filter((rs) => rs.metadata.uid !== fresh?.metadata.uid);
    await resize(deployment, owned, sizesOf(deployment, fresh, old));
    const status = await writeStatus(deployment, fresh, owned, isNew);
    // While a rollout is under way, what it might go back to stays.
    if (spec.paused || isComplete(deployment, status)) for (const rs of beyondHistory(deployment, old)) await removeReplicaSet(rs);
  }

  function podsRunIn(sets: readonly ReplicaSet[]): boolean {
    const uids = new Set(sets.map((rs) => rs.metadata.uid));
    const namespace = sets[0]?.metadata.namespace ?? '';
    return podInformer
      .byIndex('namespace', namespace)
      .some((p) => uids.has(controllerOf(p.metadata)?.uid) && (isActive(p) || p.metadata.deletionTimestamp !== undefined));
  }

  function sizesOf(deployment: Deployment, fresh: ReplicaSet | undefined, old: readonly ReplicaSet[]): Sizes {
    const all = fresh ? [fresh, ...old] : old;
    if (deployment.spec?.paused || wasScaled(deployment, all)) return proportionalSizes(deployment, fresh, old);
    if (deployment.spec?.strategy?.type === 'Recreate') return recreateSizes(deployment, fresh, old, podsRunIn(old));
    return fresh ? rollingSizes(deployment, fresh, old) : new Map();
  }

  async function createReplicaSet(deployment: Deployment, owned: readonly ReplicaSet[]): Promise<ReplicaSet | undefined> {
    const { name, namespace = '' } = deployment.metadata;
    const collisions = deployment.status?.collisionCount ?? 0;
    const hash = templateHash(deployment.spec?.template, collisions);
    const revision = highestRevision(owned) + 1n;
    const template = deployment.spec?.template ?? {};
    const labels = { ...template.metadata?.labels, [hashLabel]: hash };
    const draft: ReplicaSet = {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: {
        name: `${name}-${hash}`,
        namespace,
        labels,
        annotations: { ...replicaSetAnnotations(deployment, undefined), [revisionAnnotation]: String(revision) },
        ownerReferences: [controllerRef(deployment)],
      },
      spec: {
        replicas: 0,
        minReadySeconds: deployment.spec?.minReadySeconds,
        selector: { ...deployment.spec?.selector, matchLabels: { ...deployment.spec?.selector.matchLabels, [hashLabel]: hash } },
        template: { ...template, metadata: { ...template.metadata, labels } },
      },
    };
    const sizes = sizesOf(deployment, draft, owned);
    draft.spec = { ...draft.spec, selector: draft.spec?.selector ?? {}, replicas: sizes.get(draft.metadata.name) ?? 0 };
    try {
      const made = recent.note(await client.create(replicaSets, draft));
      recorder.event(
        deployment,
        'Normal',
        'ScalingReplicaSet',
        `Scaled up replica set ${made.metadata.name} from 0 to ${made.spec?.replicas ?? 0}`,
      );
      await setRevision(deployment, revision);
      return made;
    } catch (err) {
      if (!isAlreadyExists(err)) throw err;
      const there = await client.get(replicaSets, draft.metadata.name, { namespace });
      // Made a moment ago, before a restart or an answer that was lost.
      if (controllerOf(there.metadata)?.uid === deployment.metadata.uid && hasTemplateOf(deployment, there)) return recent.note(there);
      // Another owner's, or another template with the same hash: count it, so that the next hash is another one.
      await client.patch(deployments, name, { status: { collisionCount: collisions + 1 } }, { namespace, subresource: 'status' });
      return undefined;
    }
  }

  /** A rollback makes an old ReplicaSet the newest revision again. */
  async function keepAnnotations(deployment: Deployment, fresh: ReplicaSet, owned: ReplicaSet[]): Promise<ReplicaSet> {
    const highest = highestRevision(owned.filter((rs) => rs !== fresh));
    const own = revisionOf(fresh);
    const revision = own > highest ? own : highest + 1n;
    const annotations = replicaSetAnnotations(deployment, fresh);
    // Sizes are stamped when the ReplicaSet is sized, else a scaling would go unnoticed.
    for (const stamp of ['deployment.kubernetes.io/desired-replicas', 'deployment.kubernetes.io/max-replicas'] as const) {
      const was = fresh.metadata.annotations?.[stamp];
      if (was !== undefined) annotations[stamp] = was;
    }
    if (revision !== own) {
      const history = [fresh.metadata.annotations?.[revisionHistoryAnnotation], own || undefined].filter(Boolean).join(',');
      Object.assign(annotations, { [revisionAnnotation]: String(revision), ...(history ? { [revisionHistoryAnnotation]: history } : {}) });
    }
    let current = fresh;
    if (
      canonical(annotations) !== canonical(fresh.metadata.annotations) ||
      fresh.spec?.minReadySeconds !== deployment.spec?.minReadySeconds
    ) {
      const patch = { metadata: { annotations }, spec: { minReadySeconds: deployment.spec?.minReadySeconds ?? null } };
      current = recent.note(await client.patch(replicaSets, fresh.metadata.name, patch, { namespace: fresh.metadata.namespace ?? '' }));
      owned[owned.indexOf(fresh)] = current;
    }
    await setRevision(deployment, revision);
    return current;
  }

  async function setRevision(deployment: Deployment, revision: bigint): Promise<void> {
    if (deployment.metadata.annotations?.[revisionAnnotation] === String(revision)) return;
    const { name, namespace = '' } = deployment.metadata;
    const patched = await client.patch(
      deployments,
      name,
      { metadata: { annotations: { [revisionAnnotation]: String(revision) } } },
      { namespace },
    );
    // The status is written with this version in the same round.
    deployment.metadata = patched.metadata;
  }

  async function resize(deployment: Deployment, owned: ReplicaSet[], sizes: Sizes): Promise<void> {
    const stamps = replicaSetAnnotations(deployment, undefined);
    for (const [i, rs] of owned.entries()) {
      const from = rs.spec?.replicas ?? 0;
      const to = sizes.get(rs.metadata.name) ?? from;
      const stamped = Object.entries(stamps).every(
        ([key, value]) => !key.endsWith('-replicas') || rs.metadata.annotations?.[key] === value,
      );
      if (to === from && (stamped || to === 0)) continue;
      const annotations = Object.fromEntries(Object.entries(stamps).filter(([key]) => key.endsWith('-replicas')));
      const patch = { metadata: { annotations, resourceVersion: rs.metadata.resourceVersion }, spec: { replicas: to } };
      owned[i] = recent.note(await client.patch(replicaSets, rs.metadata.name, patch, { namespace: rs.metadata.namespace ?? '' }));
      if (to !== from)
        recorder.event(
          deployment,
          'Normal',
          'ScalingReplicaSet',
          `Scaled ${to > from ? 'up' : 'down'} replica set ${rs.metadata.name} from ${from} to ${to}`,
        );
    }
  }

  async function removeReplicaSet(rs: ReplicaSet): Promise<void> {
    const { name, namespace = '', uid } = rs.metadata;
    await client.delete(replicaSets, name, { namespace, preconditions: { uid }, propagationPolicy: 'Background' }).catch((err: unknown) => {
      if (!isNotFound(err)) throw err;
    });
  }

  async function writeStatus(
    deployment: Deployment,
    fresh: ReplicaSet | undefined,
    owned: readonly ReplicaSet[],
    isNew: boolean = false,
  ): Promise<DeploymentStatus> {
    const current = fresh ? (owned.find((rs) => rs.metadata.uid === fresh.metadata.uid) ?? fresh) : undefined;
    const { status, lookAgainIn } = deploymentStatus(deployment, current, owned, clock.now(), isNew);
    if (lookAgainIn !== undefined) queue.addAfter(objectKey(deployment), lookAgainIn + 100);
    const zeros = { replicas: 0, updatedReplicas: 0, readyReplicas: 0, availableReplicas: 0, unavailableReplicas: 0 };
    if (canonical({ ...zeros, ...status }) === canonical({ ...zeros, ...deployment.status })) return status;
    await client.update(deployments, { ...deployment, status }, { subresource: 'status' });
    return status;
  }
}
