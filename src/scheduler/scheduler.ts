/**
 * The scheduler's edge: informers keep the Cluster and the queue, one loop chooses, bindings go out several at a time.
 */
import { setImmediate } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { objectKey } from '../api/object-key.ts';
import {
  bindings,
  type KubeObject,
  namespaces,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  type ResourceType,
  storageClasses,
} from '../api/resource-types.ts';
import type { Node, Pod } from '../api/schema/types.ts';
import { isConflict, isNotFound } from '../client/api-error.ts';
import type { Client } from '../client/client.ts';
import { EventRecorder } from '../client/event-recorder.ts';
import type { Informer } from '../client/informer.ts';
import type { InformerSet } from '../client/informers.ts';
import { aborted, onAbort } from '../clock/aborted.ts';
import { type Clock, systemClock } from '../clock/clock.ts';
import { timestamp } from '../clock/timestamp.ts';
import { messageOf } from '../errors/known-error.ts';
import type { Log } from '../observability/log.ts';
import { choose, refusalMessage } from './choose.ts';
import { Cluster, isTerminal, labelsOfNamespace, type Storage } from './cluster.ts';
import { plugins } from './plugins/order.ts';
import { podRequests } from './pod-resources.ts';
import { SchedulingQueue } from './queue.ts';

export interface SchedulerOptions {
  readonly client: Client;
  readonly informers: InformerSet;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly clock?: Clock;
  /** Only pods that name it are looked at. Default `default-scheduler`. */
  readonly name?: string;
  /** 0 ≤ x < 1; decides between nodes that are equally good. */
  readonly random?: () => number;
}

/** How many bindings may be on their way at a time. */
const maxBindings = 16;
/** Longest stretch of choosing without letting others run. */
const sliceMs = 10;

/** What of a node may make a pod fit that did not. A heartbeat does not. */
function relevant(node: Node): string {
  return JSON.stringify([node.metadata.labels, node.spec?.taints, node.spec?.unschedulable, node.status?.allocatable]);
}

/** Runs until the signal aborts. */
export async function startScheduler(options: SchedulerOptions): Promise<void> {
  const { client, informers, log, signal } = options;
  const clock = options.clock ?? systemClock;
  const random = options.random ?? Math.random;
  const schedulerName = options.name ?? 'default-scheduler';
  const recorder = new EventRecorder({ client, component: schedulerName, clock, log });
  const cluster = new Cluster();
  const queue = new SchedulingQueue(clock);
  const podInformer = informers.of(pods);
  const nodeInformer = informers.of(nodes);
  const namespaceInformer = informers.of(namespaces);
  cluster.namespaceLabels = (name) => labelsOfNamespace(namespaceInformer.get(name));

  const storage = storageOf(informers, () => queue.moveAll());
  cluster.storage = storage.read;

  nodeInformer.on({
    add(node) {
      cluster.setNode(node);
      queue.moveAll();
    },
    update(node, previous) {
      cluster.setNode(node);
      if (relevant(node) !== relevant(previous)) queue.moveAll();
    },
    delete: (node) => cluster.removeNode(node.metadata.name),
  });

  const isMine = (pod: Pod): boolean => (pod.spec?.schedulerName || 'default-scheduler') === schedulerName;
  function onPod(pod: Pod, previous?: Pod): void {
    const key = objectKey(pod);
    cluster.setPod(key, pod);
    if (pod.spec?.nodeName || isTerminal(pod) || pod.metadata.deletionTimestamp || !isMine(pod)) {
      queue.remove(key);
      // A pod that ended or was resized makes room, and one that came may be the neighbour another waits for.
      const resized = previous !== undefined && !isDeepStrictEqual(podRequests(previous), podRequests(pod));
      if (
        isTerminal(pod) !== (previous !== undefined && isTerminal(previous)) ||
        previous?.spec?.nodeName !== pod.spec?.nodeName ||
        resized
      )
        queue.moveAll();
      return;
    }
    if (pod.spec?.schedulingGates?.length) return;
    // Our own status writes must not wake the pod we just put to sleep.
    if (
      previous &&
      previous.metadata.generation === pod.metadata.generation &&
      sameLabels(previous, pod) &&
      !previous.spec?.schedulingGates?.length
    )
      return;
    if (!cluster.isAssumed(key)) queue.add(key, pod.spec?.priority ?? 0);
  }
  podInformer.on({
    add: (pod) => onPod(pod),
    update: onPod,
    delete(pod) {
      cluster.removePod(objectKey(pod));
      queue.remove(objectKey(pod));
      queue.moveAll();
    },
  });

  onAbort(signal, () => queue.close());
  await Promise.race([Promise.all([podInformer.synced, nodeInformer.synced, namespaceInformer.synced, storage.synced]), aborted(signal)]);

  let startAt = 0;
  let rested = performance.now();
  const inFlight = new Set<Promise<void>>();
  for (let key = await queue.take(); key !== undefined; key = await queue.take()) {
    // The API server may live in the same process: many pods that fit nowhere must not keep it from answering.
    if (performance.now() - rested > sliceMs) {
      await setImmediate();
      rested = performance.now();
    }
    const pod = podInformer.get(key);
    if (!pod || pod.spec?.nodeName || pod.metadata.deletionTimestamp) {
      queue.remove(key);
      continue;
    }
    const { moves } = queue;
    const choice = choose(pod, cluster, plugins, startAt++, random());
    if (choice.kind !== 'node') {
      queue.failed(key, moves);
      void reject(pod, refusalMessage(choice, cluster.nodes.length));
      continue;
    }
    cluster.assume(key, pod, choice.name);
    const binding = bind(key, pod, choice.name).finally(() => inFlight.delete(binding));
    inFlight.add(binding);
    if (inFlight.size >= maxBindings) await Promise.race(inFlight);
  }
  await Promise.all(inFlight);

  async function bind(key: string, pod: Pod, nodeName: string): Promise<void> {
    const { name, namespace = '', uid } = pod.metadata;
    const moves = queue.moves;
    try {
      await client.createSubresource(
        pods,
        name,
        'binding',
        {
          apiVersion: 'v1',
          kind: bindings.kind,
          metadata: { name, namespace, uid },
          target: { apiVersion: 'v1', kind: 'Node', name: nodeName },
        },
        { namespace },
      );
      // One of the same name may wait by now.
      if ((podInformer.get(key)?.metadata.uid ?? uid) === uid) queue.remove(key);
      recorder.event(pod, 'Normal', 'Scheduled', `Successfully assigned ${key} to ${nodeName}`);
    } catch (err) {
      if (signal.aborted) return;
      if (cluster.isAssumed(key)) cluster.removePod(key);
      if (isNotFound(err) && !podInformer.get(key)) {
        queue.remove(key);
        return;
      }
      // Bound by somebody else: the informer tells where.
      if (!isConflict(err)) log.warn(`Cannot bind pod "${key}" to node "${nodeName}": ${messageOf(err)}`, { pod: key, node: nodeName });
      queue.failed(key, moves - 1);
    }
  }

  /** Says why in an event and in the condition that `kubectl describe` and autoscalers read. */
  async function reject(pod: Pod, message: string): Promise<void> {
    recorder.event(pod, 'Warning', 'FailedScheduling', message);
    const condition = pod.status?.conditions?.find((c) => c.type === 'PodScheduled');
    const { name, namespace = '', generation } = pod.metadata;
    // An API server before 1.34 knows no generation in conditions: to write it again and again would help nobody.
    const isCurrent = (condition?.observedGeneration ?? generation) === generation;
    if (condition?.status === 'False' && condition.message === message && isCurrent) return;
    const lastTransitionTime = condition?.status === 'False' ? condition.lastTransitionTime : timestamp(clock.now());
    const unschedulable = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message, lastTransitionTime };
    const patch = { status: { conditions: [{ ...unschedulable, observedGeneration: generation }] } };
    await client.patch(pods, name, patch, { namespace, subresource: 'status', kind: 'strategic' }).catch((err: unknown) => {
      if (!isNotFound(err) && !signal.aborted) log.debug(`Cannot write the condition of pod "${objectKey(pod)}": ${messageOf(err)}`);
    });
  }
}

/** Claims, volumes and classes as informers tell of them; any change of one may be what a pod waits for. */
function storageOf(informers: InformerSet, onChange: () => void): { readonly read: Storage; readonly synced: Promise<unknown> } {
  const follow = <T extends KubeObject>(type: ResourceType<T>): Informer<T> => {
    const informer = informers.of(type);
    informer.on({ add: onChange, update: onChange, delete: onChange });
    return informer;
  };
  const claims = follow(persistentVolumeClaims);
  const volumes = follow(persistentVolumes);
  const classes = follow(storageClasses);
  const read = {
    claim: (key: string) => claims.get(key),
    volume: (name: string) => volumes.get(name),
    storageClass: (name: string) => classes.get(name),
  };
  return { read, synced: Promise.all([claims.synced, volumes.synced, classes.synced]) };
}

function sameLabels(a: Pod, b: Pod): boolean {
  return JSON.stringify(a.metadata.labels) === JSON.stringify(b.metadata.labels);
}
