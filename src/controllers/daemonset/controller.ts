/** One pod on every node that a DaemonSet fits, and a ControllerRevision for each template it had. */

import { objectKey } from '../../api/object-key.ts';
import { controllerRevisions, daemonSets, nodes, pods } from '../../api/resource-types.ts';
import type { DaemonSet, Node, Pod } from '../../api/schema/types.ts';
import { labelSelectorOf } from '../../api/selector/label.ts';
import { isNotFound } from '../../client/api-error.ts';
import { EventRecorder } from '../../client/event-recorder.ts';
import { runController } from '../../client/run-controller.ts';
import { WorkQueue } from '../../client/work-queue.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { ControllerContext } from '../context.ts';
import { claimAll } from '../ownership/claimer.ts';
import { Expectations } from '../ownership/expectations.ts';
import { inGrowingBatches } from '../ownership/growing-batches.ts';
import { onOwned, ownersOf } from '../ownership/owners-of.ts';
import { podFromTemplate } from '../ownership/pod-from-template.ts';
import { isLeaving } from '../ownership/pod-state.ts';
import { Revisions } from '../ownership/revisions.ts';
import { canonical } from '../ownership/template-hash.ts';
import { daemonSetStatus, ended, hashLabel, nodeOf, planDaemons, templateFor } from './desired.ts';

/** At most this many pods are made, and this many removed, at once. */
const burst = 250;
const maxFailureDelayMs = 15 * 60_000;

/** What of a node decides whether daemons run there. A heartbeat does not. */
function relevant(node: Node): string {
  return JSON.stringify([node.metadata.labels, node.spec?.taints]);
}

export async function runDaemonSets(context: ControllerContext): Promise<void> {
  const { client, informers, clock, log, signal } = context;
  const recorder = new EventRecorder({ client, component: 'daemonset-controller', clock, log });
  const queue = new WorkQueue({ clock });
  const setInformer = informers.of(daemonSets).addIndex('namespace', (d) => [d.metadata.namespace ?? '']);
  const nodeInformer = informers.of(nodes);
  const revisionInformer = informers.of(controllerRevisions);
  const podInformer = informers.of(pods).addIndex('namespace', (p) => [p.metadata.namespace ?? '']);
  const recentPods = new Expectations(podInformer);
  const failures = new Map<string, { readonly pod: string | undefined; readonly delay: number; readonly until: number }>();
  const revisions = new Revisions(client, daemonSets, hashLabel, revisionInformer);

  const wakeAll = (): void => {
    for (const set of setInformer.list()) queue.add(objectKey(set));
  };
  const wakeOwner = (pod: Pod): void => {
    for (const key of ownersOf(setInformer, (d) => labelSelectorOf(d.spec?.selector ?? {}), pod)) queue.add(key);
  };
  setInformer.on({ add: (d) => queue.add(objectKey(d)), update: (d) => queue.add(objectKey(d)), delete: forget });
  function forget(set: DaemonSet): void {
    for (const place of failures.keys()) if (place.startsWith(`${set.metadata.uid}/`)) failures.delete(place);
  }
  onOwned(podInformer, wakeOwner);
  nodeInformer.on({
    add: wakeAll,
    update(node, previous) {
      if (relevant(node) !== relevant(previous)) wakeAll();
    },
    delete: wakeAll,
  });
  await Promise.all([setInformer.synced, nodeInformer.synced, podInformer.synced, revisionInformer.synced]);
  await runController({ name: 'daemonset-controller', queue, reconcile, log, signal });

  async function reconcile(key: string): Promise<void> {
    const set = setInformer.get(key);
    if (!set?.spec) return;
    const namespace = set.metadata.namespace ?? '';
    const candidates = recentPods.over(podInformer.byIndex('namespace', namespace), (p) => p.metadata.namespace === namespace);
    const owned = await claimAll(client, pods, daemonSets, set, labelSelectorOf(set.spec.selector), candidates);
    const all = nodeInformer.list();
    const history = await revisions.upTo(set);
    const current = history.at(-1);
    const hash = current?.metadata.labels?.[hashLabel] ?? '';
    await revisions.trim(set, history, (r) => r === current);
    let failed: unknown;
    if (!set.metadata.deletionTimestamp) {
      const plan = planDaemons(set, hash, all, owned, clock.now());
      const due = plan.remove.filter((pod) => !ended(pod) || mayRemoveFailed(set, pod));
      const results = await Promise.allSettled([
        inGrowingBatches(plan.create.slice(0, burst), (node) => create(set, node, hash, owned)),
        inGrowingBatches(due.slice(0, burst), (pod) => remove(set, pod)),
      ]);
      failed = results.find((r) => r.status === 'rejected')?.reason;
      // What was made or removed brings news; what is beyond the burst does not.
      if (plan.create.length > burst || due.length > burst) queue.addAfter(key, 100);
    }
    const status = daemonSetStatus(set, hash, all, owned, clock.now());
    if (canonical(status) !== canonical({ numberAvailable: 0, numberUnavailable: 0, updatedNumberScheduled: 0, ...set.status })) {
      await client.update(daemonSets, { ...set, status }, { subresource: 'status' });
    }
    if ((set.spec.minReadySeconds ?? 0) > 0 && status.numberAvailable !== status.numberReady) queue.addAfter(key, 1000);
    if (failed) throw failed;
  }

  /** A pod that fails as soon as it is there is made again ever more slowly. */
  function mayRemoveFailed(set: DaemonSet, pod: Pod): boolean {
    const place = `${set.metadata.uid}/${nodeOf(pod)}`;
    const now = clock.monotonic();
    const was = failures.get(place);
    if (was?.pod === pod.metadata.uid) return true;
    if (was && now < was.until) {
      queue.addAfter(objectKey(set), was.until - now);
      return false;
    }
    // A place that did well for long starts from the first delay again.
    const delay = was && now < was.until + 2 * maxFailureDelayMs ? Math.min(was.delay * 2, maxFailureDelayMs) : 1_000;
    failures.set(place, { pod: pod.metadata.uid, delay, until: now + delay });
    const { name } = pod.metadata;
    if (pod.status?.phase === 'Failed')
      recorder.event(
        set,
        'Warning',
        'FailedDaemonPod',
        `Found failed daemon pod ${objectKey(pod)} on node ${nodeOf(pod)}, will try to kill it`,
      );
    else
      recorder.event(
        set,
        'Normal',
        'SucceededDaemonPod',
        `Found succeeded daemon pod ${name} on node ${nodeOf(pod)}, will try to delete it`,
      );
    return true;
  }

  async function create(set: DaemonSet, nodeName: string, hash: string, owned: Pod[]): Promise<void> {
    try {
      const pod = await client.create(pods, podFromTemplate(templateFor(set.spec?.template ?? {}, nodeName, hash), set));
      owned.push(recentPods.expect(pod));
      recorder.event(set, 'Normal', 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`);
    } catch (err) {
      recorder.event(set, 'Warning', 'FailedCreate', `Error creating: ${messageOf(err)}`);
      throw err;
    }
  }

  async function remove(set: DaemonSet, pod: Pod): Promise<void> {
    const { name, namespace = '', uid } = pod.metadata;
    const answer = await client.delete(pods, name, { namespace, preconditions: { uid } }).catch((err: unknown) => {
      if (!isNotFound(err)) throw err;
      return undefined;
    });
    if (isLeaving(answer)) recentPods.expect(answer);
    else recentPods.expectGone(pod);
    recorder.event(set, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
  }
}
