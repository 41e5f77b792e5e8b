/** Notices nodes that are not heard of, taints nodes in trouble, and takes pods off them. */

import { objectKey, splitKey } from '../../api/object-key.ts';
import { leases, nodes, pods } from '../../api/resource-types.ts';
import type { Lease, Node, Pod, Taint } from '../../api/schema/types.ts';
import { isConflict, isNotFound } from '../../client/api-error.ts';
import { EventRecorder } from '../../client/event-recorder.ts';
import { runController } from '../../client/run-controller.ts';
import { WorkQueue } from '../../client/work-queue.ts';
import { timestamp } from '../../clock/timestamp.ts';
import type { ControllerContext } from '../context.ts';
import { canonical } from '../ownership/template-hash.ts';
import { evictionTime, graceMs, unheardConditions, wantedTaints } from './desired.ts';

const checkMs = 5_000;

export async function runNodeLifecycle(context: ControllerContext): Promise<void> {
  const { client, informers, clock, log, signal } = context;
  const recorder = new EventRecorder({ client, component: 'node-controller', clock, log });
  const nodeQueue = new WorkQueue({ clock });
  const podQueue = new WorkQueue({ clock });
  const nodeInformer = informers.of(nodes);
  const leaseInformer = informers.of(leases, { namespace: 'kube-node-lease' });
  const podInformer = informers.of(pods).addIndex('node', (p) => [p.spec?.nodeName ?? '']);
  // When each node was last heard of, on this process's own clock: two machines' clocks are never compared.
  const heard = new Map<string, { version: string; at: number }>();

  const hear = (name: string, version: string): void => {
    if (heard.get(name)?.version !== version) heard.set(name, { version, at: clock.monotonic() });
  };
  const onLease = (lease: Lease): void => hear(lease.metadata.name, lease.metadata.resourceVersion ?? '');
  leaseInformer.on({ add: onLease, update: onLease });
  // When each taint of a node came up, for those whose time nobody wrote down (kubectl does not).
  const taintsSeen = new Map<string, Map<string, number>>();
  // Pods that have to leave: when by the wall clock, and when by this process's own.
  const leaving = new Map<string, { due: number; at: number }>();
  const ready = new Set<string>();
  const onNode = (node: Node): void => {
    if (!heard.has(node.metadata.name)) hear(node.metadata.name, '');
    watchDisruption(node);
    const seen = taintsSeen.get(node.metadata.name);
    const taints = (node.spec?.taints ?? []).map((t) => [taintId(t), seen?.get(taintId(t)) ?? clock.now()] as const);
    taintsSeen.set(node.metadata.name, new Map(taints));
    nodeQueue.add(node.metadata.name);
    for (const pod of podInformer.byIndex('node', node.metadata.name)) podQueue.add(objectKey(pod));
  };
  nodeInformer.on({
    add(node) {
      const { name } = node.metadata;
      recorder.event(node, 'Normal', 'RegisteredNode', `Node ${name} event: Registered Node ${name} in Controller`);
      onNode(node);
    },
    update(node, previous) {
      // Kubelets of old say that they live by their status alone.
      if (heartbeatOf(node) !== heartbeatOf(previous)) heard.set(node.metadata.name, { version: '', at: clock.monotonic() });
      if (JSON.stringify([node.spec, conditionsOf(node)]) !== JSON.stringify([previous.spec, conditionsOf(previous)])) onNode(node);
    },
    delete(node) {
      heard.delete(node.metadata.name);
      ready.delete(node.metadata.name);
      taintsSeen.delete(node.metadata.name);
    },
  });
  const onPod = (pod: Pod): void => {
    if (pod.spec?.nodeName && nodeInformer.get(pod.spec.nodeName)?.spec?.taints?.some((t) => t.effect === 'NoExecute'))
      podQueue.add(objectKey(pod));
  };
  podInformer.on({ add: onPod, update: onPod, delete: (pod) => leaving.delete(pod.metadata.uid ?? '') });
  await Promise.all([nodeInformer.synced, leaseInformer.synced, podInformer.synced]);
  await Promise.all([
    runController({ name: 'node-lifecycle-controller', queue: nodeQueue, reconcile: reconcileNode, log, signal }),
    runController({ name: 'taint-eviction-controller', queue: podQueue, reconcile: evict, log, signal }),
    check(),
  ]);

  /** When the last ready node is lost or the first is back, all are looked at again: only then do they lose or get their NoExecute taints. */
  function watchDisruption(node: Node): void {
    const before = ready.size;
    if (node.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True')) ready.add(node.metadata.name);
    else ready.delete(node.metadata.name);
    if ((before === 0) !== (ready.size === 0)) for (const other of nodeInformer.list()) nodeQueue.add(other.metadata.name);
  }

  function isSilent(name: string): boolean {
    return clock.monotonic() - (heard.get(name)?.at ?? clock.monotonic()) > graceMs;
  }

  async function check(): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(checkMs, signal).catch(() => {});
      if (signal.aborted) return;
      for (const name of heard.keys()) if (isSilent(name)) nodeQueue.add(name);
    }
  }

  async function reconcileNode(name: string): Promise<void> {
    let node = nodeInformer.get(name);
    if (!node) return;
    const silent = isSilent(name);
    const conditions = silent ? unheardConditions(node, timestamp(clock.now())) : undefined;
    if (conditions) {
      log.warn(`Node "${name}" was not heard of for ${graceMs / 1000} s`, { node: name });
      recorder.event(node, 'Normal', 'NodeNotReady', `Node ${name} status is now: NodeNotReady`);
      node = await client.patch(nodes, name, { status: { conditions } }, { subresource: 'status', kind: 'strategic' });
      watchDisruption(node);
    }
    if (silent) for (const pod of podInformer.byIndex('node', name)) await markNotReady(pod);
    const mayEvict = ready.values().some((n) => !isSilent(n));
    const taints = wantedTaints(node, timestamp(clock.now()), mayEvict);
    if (canonical(taints) !== canonical(node.spec?.taints ?? [])) {
      const patch = { metadata: { resourceVersion: node.metadata.resourceVersion }, spec: { taints: taints.length > 0 ? taints : null } };
      await client.patch(nodes, name, patch).catch((err: unknown) => {
        if (!isNotFound(err)) throw err;
      });
    }
  }

  /** Endpoints follow readiness: a pod on a silent node must not get traffic. */
  async function markNotReady(pod: Pod): Promise<void> {
    const ready = pod.status?.conditions?.find((c) => c.type === 'Ready');
    if (ready?.status !== 'True') return;
    const condition = { ...ready, status: 'False', reason: 'NodeNotReady', lastTransitionTime: timestamp(clock.now()) };
    const { name, namespace = '' } = pod.metadata;
    await client
      .patch(pods, name, { status: { conditions: [condition] } }, { namespace, subresource: 'status', kind: 'strategic' })
      .catch((err: unknown) => {
        if (!isNotFound(err) && !isConflict(err)) throw err;
      });
  }

  async function evict(key: string): Promise<void> {
    const pod = podInformer.get(key);
    const node = pod?.spec?.nodeName ? nodeInformer.get(pod.spec.nodeName) : undefined;
    if (!pod || !node || pod.metadata.deletionTimestamp) return;
    const due = evictionTime(pod, node, (t) => taintsSeen.get(node.metadata.name)?.get(taintId(t)) ?? clock.now());
    const { uid = '' } = pod.metadata;
    if (due === undefined) {
      leaving.delete(uid);
      return;
    }
    // Once known how long a pod may stay, a leap of the wall clock changes nothing.
    const left = due - clock.now();
    const known = leaving.get(uid);
    const at = known?.due === due ? known.at : clock.monotonic() + left;
    leaving.set(uid, { due, at });
    const wait = at - clock.monotonic();
    if (wait > 0) {
      podQueue.addAfter(key, wait);
      return;
    }
    const { namespace, name } = splitKey(key);
    recorder.event(pod, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${key}`);
    await client.delete(pods, name, { namespace, preconditions: { uid: pod.metadata.uid } }).catch((err: unknown) => {
      if (!isNotFound(err) && !isConflict(err)) throw err;
    });
  }
}

function taintId(taint: Taint): string {
  return `${taint.key}/${taint.effect}`;
}

function heartbeatOf(node: Node): string | undefined {
  return node.status?.conditions?.find((c) => c.type === 'Ready')?.lastHeartbeatTime;
}

/** Without the heartbeat. */
function conditionsOf(node: Node): object {
  return (node.status?.conditions ?? []).map(({ type, status }) => [type, status]);
}
