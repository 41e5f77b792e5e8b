/** Keeps the number of pods of ReplicaSets and ReplicationControllers. */

import { objectKey } from '../../api/object-key.ts';
import { type KubeObject, pods, type ResourceType, replicaSets, replicationControllers } from '../../api/resource-types.ts';
import type { Pod, PodTemplateSpec, ReplicaSet, ReplicationController } from '../../api/schema/types.ts';
import { labelSelectorOf, type Selector } from '../../api/selector/label.ts';
import { isNamespaceTerminating, isNotFound } from '../../client/api-error.ts';
import { runController } from '../../client/controller.ts';
import { EventRecorder } from '../../client/event-recorder.ts';
import { WorkQueue } from '../../client/work-queue.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { ControllerContext } from '../context.ts';
import { claimAll } from '../ownership/claimer.ts';
import { inGrowingBatches } from '../ownership/growing-batches.ts';
import { onOwned, ownersOf } from '../ownership/owners-of.ts';
import { podFromTemplate } from '../ownership/pod-from-template.ts';
import { isActive, isLeaving } from '../ownership/pod-state.ts';
import { RecentWrites } from '../ownership/recent-writes.ts';
import { canonical } from '../ownership/template-hash.ts';
import { planReplicas, replicaStatus } from './desired.ts';

type Owner = ReplicaSet | ReplicationController;

interface Flavour<T extends Owner> {
  readonly name: string;
  readonly type: ResourceType<T>;
  readonly selectorOf: (owner: T) => Selector;
}

const matchLabels = (labels: Record<string, string> | undefined): Selector => labelSelectorOf({ matchLabels: labels ?? {} });

export function runReplicaSets(context: ControllerContext): Promise<void> {
  return run(context, { name: 'replicaset-controller', type: replicaSets, selectorOf: (o) => labelSelectorOf(o.spec?.selector ?? {}) });
}

export function runReplicationControllers(context: ControllerContext): Promise<void> {
  return run(context, { name: 'replication-controller', type: replicationControllers, selectorOf: (o) => matchLabels(o.spec?.selector) });
}

async function run<T extends Owner>(context: ControllerContext, flavour: Flavour<T>): Promise<void> {
  const { client, informers, clock, log, signal } = context;
  const { name, type } = flavour;
  const recorder = new EventRecorder({ client, component: name, clock, log });
  const queue = new WorkQueue({ clock });
  const owners = informers.of(type).addIndex('namespace', (o) => [o.metadata.namespace ?? '']);
  const podInformer = informers.of(pods).addIndex('namespace', (p) => [p.metadata.namespace ?? '']);
  const recent = new RecentWrites(podInformer);

  owners.on({ add: (o) => queue.add(objectKey(o)), update: (o) => queue.add(objectKey(o)), delete: (o) => queue.add(objectKey(o)) });
  const wakeOwner = (pod: Pod): void => {
    for (const key of ownersOf(owners, flavour.selectorOf, pod)) queue.add(key);
  };
  onOwned(podInformer, wakeOwner);
  await Promise.all([owners.synced, podInformer.synced]);
  await runController({ name, queue, reconcile, log, signal });

  async function reconcile(key: string): Promise<void> {
    const owner = owners.get(key);
    if (!owner?.spec) return;
    const namespace = owner.metadata.namespace ?? '';
    const selector = flavour.selectorOf(owner);
    const candidates = recent.over(podInformer.byIndex('namespace', namespace), (p) => p.metadata.namespace === namespace);
    const owned = await claimAll(client, pods, type, owner, selector, candidates);
    let failure: { reason: string; message: string } | undefined;
    let failed: unknown;
    if (!owner.metadata.deletionTimestamp) {
      const plan = planReplicas(owner.spec.replicas ?? 1, owned);
      try {
        await create(owner, plan.create, owned);
        await remove(owner, plan.remove, owned);
      } catch (err) {
        failed = err;
        failure = { reason: plan.create > 0 ? 'FailedCreate' : 'FailedDelete', message: messageOf(err) };
      }
    }
    await writeStatus(owner, owned, failure);
    if (failed) throw failed;
  }

  async function create(owner: T, count: number, owned: Pod[]): Promise<void> {
    const template = owner.spec?.template;
    if (!template) return;
    await inGrowingBatches(Array<PodTemplateSpec>(count).fill(template), async (t) => {
      const pod = recent.note(await client.create(pods, podFromTemplate(t, owner), { signal }));
      owned.push(pod);
      recorder.event(owner, 'Normal', 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`);
    }).catch((err: unknown) => {
      if (!isNamespaceTerminating(err)) recorder.event(owner, 'Warning', 'FailedCreate', `Error creating: ${messageOf(err)}`);
      throw err;
    });
  }

  async function remove(owner: T, victims: readonly Pod[], owned: Pod[]): Promise<void> {
    await Promise.all(
      victims.map(async (pod) => {
        const { name: podName, uid } = pod.metadata;
        const answer = await client
          .delete(pods, podName, { namespace: pod.metadata.namespace ?? '', preconditions: { uid } })
          .catch((err: unknown) => {
            if (!isNotFound(err)) throw err;
            return undefined;
          });
        const at = owned.indexOf(pod);
        if (isLeaving(answer)) owned[at] = recent.note(answer);
        else {
          recent.noteGone(pod);
          owned.splice(at, 1);
        }
        recorder.event(owner, 'Normal', 'SuccessfulDelete', `Deleted pod: ${podName}`);
      }),
    );
  }

  async function writeStatus(owner: T, owned: readonly Pod[], failure: { reason: string; message: string } | undefined): Promise<void> {
    const { status, lookAgainIn } = replicaStatus({
      generation: owner.metadata.generation ?? 0,
      replicas: owner.spec?.replicas ?? 1,
      minReadySeconds: owner.spec?.minReadySeconds ?? 0,
      templateLabels: owner.spec?.template?.metadata?.labels ?? {},
      owned: owned.filter(isActive),
      ...(failure ? { failure } : {}),
      previous: owner.status,
      now: clock.now(),
    });
    if (lookAgainIn !== undefined) queue.addAfter(objectKey(owner), lookAgainIn);
    if (canonical(status) === canonical(significant(owner.status))) return;
    await client.update(type, { ...(owner as KubeObject), status } as T, { subresource: 'status' });
  }
}

/** A status as the server keeps it leaves out zeros. */
function significant(status: ReplicaSet['status']): object {
  return { fullyLabeledReplicas: 0, readyReplicas: 0, availableReplicas: 0, observedGeneration: 0, ...status };
}
