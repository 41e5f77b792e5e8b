/** Keeps the pods of StatefulSets: each with a name, a host name and claims of its own, made, updated and deleted in order. */

import { objectKey } from '../../api/object-key.ts';
import { controllerRevisions, persistentVolumeClaims, pods, statefulSets } from '../../api/resource-types.ts';
import type { PersistentVolumeClaim, Pod, StatefulSet } from '../../api/schema/types.ts';
import { labelSelectorOf } from '../../api/selector/label.ts';
import { isAlreadyExists, isNamespaceTerminating, isNotFound } from '../../client/api-error.ts';
import { EventRecorder } from '../../client/event-recorder.ts';
import { runController } from '../../client/run-controller.ts';
import { WorkQueue } from '../../client/work-queue.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { ControllerContext } from '../context.ts';
import { claimAll } from '../ownership/claimer.ts';
import { Expectations } from '../ownership/expectations.ts';
import { inGrowingBatches } from '../ownership/growing-batches.ts';
import { onOwned, ownersOf } from '../ownership/owners-of.ts';
import { isLeaving } from '../ownership/pod-state.ts';
import { Revisions } from '../ownership/revisions.ts';
import { canonical } from '../ownership/template-hash.ts';
import { lookAgainIn, planStatefulSet, revisionOf, type Step, statefulSetStatus } from './desired.ts';
import { claimOwners, claimsFor, isClaimOfFormerPod, ordinalOf, statefulPod } from './pod-identity.ts';

const staleClaimMs = 1_000;

export async function runStatefulSets(context: ControllerContext): Promise<void> {
  const { client, informers, clock, log, signal } = context;
  const recorder = new EventRecorder({ client, component: 'statefulset-controller', clock, log });
  const queue = new WorkQueue({ clock });
  const setInformer = informers.of(statefulSets).addIndex('namespace', (s) => [s.metadata.namespace ?? '']);
  const podInformer = informers.of(pods).addIndex('namespace', (p) => [p.metadata.namespace ?? '']);
  const revisionInformer = informers.of(controllerRevisions);
  const claimInformer = informers.of(persistentVolumeClaims);
  const recentPods = new Expectations(podInformer);
  const recentClaims = new Expectations(claimInformer);
  const revisions = new Revisions(client, statefulSets, 'controller.kubernetes.io/hash', revisionInformer);

  const wakeOwner = (pod: Pod): void => {
    for (const key of ownersOf(setInformer, (s) => labelSelectorOf(s.spec?.selector ?? {}), pod)) queue.add(key);
  };
  setInformer.on({ add: (s) => queue.add(objectKey(s)), update: (s) => queue.add(objectKey(s)), delete: (s) => queue.add(objectKey(s)) });
  onOwned(podInformer, wakeOwner);
  await Promise.all([setInformer.synced, podInformer.synced, revisionInformer.synced, claimInformer.synced]);
  await runController({ name: 'statefulset-controller', queue, reconcile, log, signal });

  async function reconcile(key: string): Promise<void> {
    const set = setInformer.get(key);
    if (!set?.spec) return;
    const namespace = set.metadata.namespace ?? '';
    const candidates = recentPods
      .over(podInformer.byIndex('namespace', namespace), (p) => p.metadata.namespace === namespace)
      .filter((p) => ordinalOf(set, p) !== undefined);
    const owned = await claimAll(client, pods, statefulSets, set, labelSelectorOf(set.spec.selector), candidates);
    const history = await revisions.upTo(set);
    const update = history.at(-1);
    if (!update) return;
    const current = history.find((r) => r.metadata.name === set.status?.currentRevision) ?? update;
    const input = { set, current, update, now: clock.now() };
    let failed: unknown;
    try {
      await inGrowingBatches(planStatefulSet({ ...input, pods: owned }), (step) => take(set, step, owned));
    } catch (err) {
      failed = err;
    }
    try {
      if (!set.metadata.deletionTimestamp) for (const pod of owned) await keepClaims(set, pod);
    } catch (err) {
      failed ??= err;
    }
    const status = statefulSetStatus({ ...input, pods: owned });
    const zeros = { readyReplicas: 0, availableReplicas: 0, currentReplicas: 0, updatedReplicas: 0 };
    if (canonical(status) !== canonical({ ...zeros, ...set.status })) {
      await client.update(statefulSets, { ...set, status }, { subresource: 'status' });
    }
    const wait = lookAgainIn({ set, pods: owned, now: input.now });
    if (wait !== undefined) queue.addAfter(key, wait);
    const live = new Set([current.metadata.name, update.metadata.name, ...owned.map(revisionOf)]);
    await revisions.trim(set, history, (r) => live.has(r.metadata.name));
    if (failed) throw failed;
  }

  async function take(set: StatefulSet, step: Step, owned: Pod[]): Promise<void> {
    if (step.kind === 'create') await create(set, statefulPod(set, step.ordinal, step.revision), step.ordinal, owned);
    else if (step.kind === 'delete') await remove(set, step.pod, owned);
    else {
      const { name, namespace = '', uid } = step.pod.metadata;
      const labelled = await client.patch(pods, name, { metadata: { uid, labels: step.labels } }, { namespace });
      owned[owned.indexOf(step.pod)] = recentPods.expect(labelled);
    }
  }

  async function create(set: StatefulSet, wanted: Pod, ordinal: number, owned: Pod[]): Promise<void> {
    const { name } = wanted.metadata;
    try {
      for (const claim of claimsFor(set, ordinal)) {
        const there = claimThere(claim);
        if (there && isClaimOfFormerPod(set, ordinal, there)) {
          queue.addAfter(objectKey(set), staleClaimMs);
          return;
        }
        if (!there) await createClaim(set, name, claim);
      }
      const pod = recentPods.expect(await client.create(pods, wanted, { signal }));
      owned.push(pod);
      recorder.event(set, 'Normal', 'SuccessfulCreate', `Create Pod ${name} in StatefulSet ${set.metadata.name} successful`);
    } catch (err) {
      if (!isNamespaceTerminating(err) && !isAlreadyExists(err)) tellFailure(set, 'Create', name, err);
      throw err;
    }
  }

  async function remove(set: StatefulSet, pod: Pod, owned: Pod[]): Promise<void> {
    const { name, namespace = '', uid } = pod.metadata;
    await keepClaims(set, pod);
    try {
      const answer = await client.delete(pods, name, { namespace, preconditions: { uid } }).catch(ignoreGone);
      if (isLeaving(answer)) owned[owned.indexOf(pod)] = recentPods.expect(answer);
      else {
        recentPods.expectGone(pod);
        owned.splice(owned.indexOf(pod), 1);
      }
    } catch (err) {
      tellFailure(set, 'Delete', name, err);
      throw err;
    }
    recorder.event(set, 'Normal', 'SuccessfulDelete', `Delete Pod ${name} in StatefulSet ${set.metadata.name} successful`);
  }

  function tellFailure(set: StatefulSet, verb: string, pod: string, err: unknown): void {
    const text = `${verb} Pod ${pod} in StatefulSet ${set.metadata.name} failed error: ${messageOf(err)}`;
    recorder.event(set, 'Warning', `Failed${verb}`, text);
  }

  /** A pod that waits gets claims that went missing; all get the owners that the retention policy asks for. */
  async function keepClaims(set: StatefulSet, pod: Pod): Promise<void> {
    for (const claim of claimsFor(set, ordinalOf(set, pod) ?? 0)) {
      const there = claimThere(claim);
      if (!there) {
        if (pod.status?.phase === 'Pending' && !pod.metadata.deletionTimestamp) await createClaim(set, pod.metadata.name, claim);
        continue;
      }
      const ownerReferences = claimOwners(set, pod, there);
      if (!ownerReferences) continue;
      recentClaims.expect(await client.update(persistentVolumeClaims, { ...there, metadata: { ...there.metadata, ownerReferences } }));
    }
  }

  function claimThere(claim: PersistentVolumeClaim): PersistentVolumeClaim | undefined {
    const key = objectKey(claim);
    const found = claimInformer.get(key);
    return recentClaims.over(found ? [found] : [], (c) => objectKey(c) === key)[0];
  }

  async function createClaim(set: StatefulSet, pod: string, claim: PersistentVolumeClaim): Promise<void> {
    const what = `Create Claim ${claim.metadata.name}`;
    try {
      recentClaims.expect(await client.create(persistentVolumeClaims, claim));
      recorder.event(set, 'Normal', 'SuccessfulCreate', `${what} Pod ${pod} in StatefulSet ${set.metadata.name} success`);
    } catch (err) {
      if (isAlreadyExists(err)) return;
      const text = `${what} for Pod ${pod} in StatefulSet ${set.metadata.name} failed error: ${messageOf(err)}`;
      recorder.event(set, 'Warning', 'FailedCreate', text);
      throw err;
    }
  }
}

function ignoreGone(err: unknown): undefined {
  if (isNotFound(err)) return undefined;
  throw err;
}
