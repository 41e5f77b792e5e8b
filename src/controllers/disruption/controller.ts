/** Keeps the status of PodDisruptionBudgets, by which the API server allows evictions. */

import { objectKey } from '../../api/object-key.ts';
import { rows } from '../../api/registry/registry.ts';
import {
  apiVersionOf,
  deployments,
  type KubeObject,
  podDisruptionBudgets,
  pods,
  type ResourceType,
  replicaSets,
  replicationControllers,
  statefulSets,
} from '../../api/resource-types.ts';
import type { OwnerReference, Pod, PodDisruptionBudget } from '../../api/schema/types.ts';
import { formatLabelSelector, labelSelectorOf } from '../../api/selector/label.ts';
import { isConflict, isNotFound } from '../../client/api-error.ts';
import { EventRecorder } from '../../client/event-recorder.ts';
import type { Informer } from '../../client/informer.ts';
import { runController } from '../../client/run-controller.ts';
import { WorkQueue } from '../../client/work-queue.ts';
import { timestamp } from '../../clock/timestamp.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { ControllerContext } from '../context.ts';
import { controllerOf } from '../ownership/owner.ts';
import { isActive } from '../ownership/pod-state.ts';
import { canonical } from '../ownership/template-hash.ts';
import { deletionTimeoutMs, failedStatus, planBudget } from './desired.ts';

type Scaled = KubeObject & { spec?: { replicas?: number | undefined } | undefined };

export async function runDisruption(context: ControllerContext): Promise<void> {
  const { client, informers, clock, log, signal } = context;
  const recorder = new EventRecorder({ client, component: 'controllermanager', clock, log });
  const queue = new WorkQueue({ clock });
  /** Pods that were said to be disrupted, and live on. */
  const spared = new WorkQueue({ clock });
  const budgetInformer = informers.of(podDisruptionBudgets).addIndex('namespace', (b) => [b.metadata.namespace ?? '']);
  const podInformer = informers.of(pods).addIndex('namespace', (p) => [p.metadata.namespace ?? '']);
  const owners: readonly Informer<Scaled>[] = [replicationControllers, deployments, replicaSets, statefulSets].map((type) =>
    informers.of(type as ResourceType<Scaled>),
  );

  const wake = (pod: Pod): void => {
    const { namespace = '', labels = {} } = pod.metadata;
    for (const budget of budgetInformer.byIndex('namespace', namespace)) {
      if (labelSelectorOf(budget.spec?.selector).matches(labels)) queue.add(objectKey(budget));
    }
    const wait = spareIn(pod, clock.now());
    if (wait !== undefined) spared.addAfter(objectKey(pod), wait);
  };
  budgetInformer.on({ add: (b) => queue.add(objectKey(b)), update: (b) => queue.add(objectKey(b)) });
  podInformer.on({
    add: wake,
    update(pod, previous) {
      wake(pod);
      if (canonical(pod.metadata.labels) !== canonical(previous.metadata.labels)) wake(previous);
    },
    delete: wake,
  });
  // The share of a budget is one of what is wanted, so a scaling is news, too.
  for (const informer of owners) {
    informer.on({
      update(owner, previous) {
        if (owner.spec?.replicas === previous.spec?.replicas) return;
        for (const budget of budgetInformer.byIndex('namespace', owner.metadata.namespace ?? '')) queue.add(objectKey(budget));
      },
    });
  }
  await Promise.all([budgetInformer.synced, podInformer.synced, ...owners.map((i) => i.synced)]);
  await Promise.all([
    runController({ name: 'disruption-controller', queue, reconcile, log, signal }),
    runController({ name: 'disruption-controller', queue: spared, reconcile: spare, log, signal }),
  ]);

  async function reconcile(key: string): Promise<void> {
    const budget = budgetInformer.get(key);
    if (!budget) return;
    const now = clock.now();
    try {
      const selector = labelSelectorOf(budget.spec?.selector);
      const found = podInformer
        .byIndex('namespace', budget.metadata.namespace ?? '')
        .filter((p) => selector.matches(p.metadata.labels ?? {}));
      if (found.length === 0) recorder.event(budget, 'Normal', 'NoPods', 'No matching pods found');
      const { status, notDeleted, lookAgainIn } = planBudget(budget, found, scaleOf(budget, found), now);
      for (const pod of notDeleted) {
        recorder.event(pod, 'Warning', 'NotDeleted', `Pod was expected by PDB ${key} to be deleted but it wasn't`);
      }
      await writeStatus(budget, status);
      if (lookAgainIn !== undefined) queue.addAfter(key, lookAgainIn);
    } catch (err) {
      if (isConflict(err) || isNotFound(err)) throw err;
      await writeStatus(budget, failedStatus(budget, messageOf(err), now));
    }
  }

  async function writeStatus(budget: PodDisruptionBudget, status: NonNullable<PodDisruptionBudget['status']>): Promise<void> {
    const zeros = { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 };
    if (canonical({ ...zeros, ...status }) === canonical({ ...zeros, ...budget.status })) return;
    await client.update(podDisruptionBudgets, { ...budget, status }, { subresource: 'status' });
  }

  /** The replicas that the controllers of these pods want. Throws when one has no number. */
  function scaleOf(budget: PodDisruptionBudget, found: readonly Pod[]): number {
    const { minAvailable, maxUnavailable } = budget.spec ?? {};
    if (maxUnavailable === undefined && typeof minAvailable !== 'string') return 0;
    const scales = new Map<string, number>();
    let unmanaged = false;
    try {
      for (const pod of found) {
        const ref = controllerOf(pod.metadata);
        if (!ref) unmanaged = true;
        else if (!scales.has(ref.uid)) {
          const owner = ownerOf(ref, pod.metadata.namespace ?? '');
          if (!owner) throw new Error(`found no controllers for pod ${JSON.stringify(pod.metadata.name)}`);
          // Pods of two ReplicaSets of one Deployment have one controller.
          scales.set(ref.uid, 0).set(owner.metadata.uid ?? '', owner.spec?.replicas ?? 1);
        }
      }
    } catch (err) {
      const text = `Failed to calculate the number of expected pods: ${messageOf(err)}`;
      recorder.event(budget, 'Warning', 'CalculateExpectedPodCountFailed', text);
      throw err;
    }
    if (unmanaged) {
      const selected = `Pods selected by this PodDisruptionBudget (selector: ${formatLabelSelector(budget.spec?.selector)}) were found to be unmanaged.`;
      const effect = 'As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior.';
      const cure = 'To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.';
      recorder.event(budget, 'Warning', 'UnmanagedPods', `${selected} ${effect} ${cure}`);
    }
    return [...scales.values()].reduce((sum, one) => sum + one, 0);
  }

  /** The Deployment of a ReplicaSet, if it has one. */
  function ownerOf(ref: OwnerReference, namespace: string): Scaled | undefined {
    const informer = owners.find(({ type }) => type.kind === ref.kind && apiVersionOf(type) === ref.apiVersion);
    if (!informer) throw new Error(noScale(ref));
    const owner = informer.get(`${namespace}/${ref.name}`);
    if (owner?.metadata.uid !== ref.uid) return undefined;
    const above = ref.kind === 'ReplicaSet' ? controllerOf(owner.metadata) : undefined;
    return above?.kind === 'Deployment' ? ownerOf(above, namespace) : owner;
  }

  /** What nobody deletes is disrupted no longer. */
  async function spare(key: string): Promise<void> {
    const pod = podInformer.get(key);
    const wait = pod && spareIn(pod, clock.now());
    if (!pod || wait === undefined) return;
    if (wait > 0) {
      spared.addAfter(key, wait);
      return;
    }
    const { name, namespace = '', uid } = pod.metadata;
    const over = { type: 'DisruptionTarget', status: 'False', lastTransitionTime: timestamp(clock.now()), reason: null, message: null };
    const patch = { metadata: { uid }, status: { conditions: [over] } };
    await client.patch(pods, name, patch, { namespace, subresource: 'status', kind: 'strategic' });
  }
}

/** Milliseconds until the condition DisruptionTarget of a pod that is not deleted is stale; undefined without one. */
function spareIn(pod: Pod, now: number): number | undefined {
  if (!isActive(pod)) return undefined;
  const target = pod.status?.conditions?.find((c) => c.type === 'DisruptionTarget' && c.status === 'True');
  // The kubelet's own takes as long as it takes.
  if (!target || target.reason === 'TerminationByKubelet') return undefined;
  return Math.max(0, (Date.parse(target.lastTransitionTime ?? '') || 0) + deletionTimeoutMs - now);
}

function noScale({ apiVersion, kind }: OwnerReference): string {
  const row = rows.find(({ type }) => type.kind === kind && apiVersionOf(type) === apiVersion);
  if (!row) return `no matches for kind ${JSON.stringify(kind)} in version ${JSON.stringify(apiVersion)}`;
  const { group, resource } = row.type;
  return `${group ? `${resource}.${group}` : resource} does not implement the scale subresource`;
}
