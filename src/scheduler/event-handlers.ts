/** What news of the API mean for the scheduler: they keep the Cluster, and say which pods are to be tried, and when again. */
import { isDeepStrictEqual } from 'node:util';
import { objectKey } from '../api/object-key.ts';
import {
  type KubeObject,
  namespaces,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  podDisruptionBudgets,
  pods,
  type ResourceType,
  storageClasses,
} from '../api/resource-types.ts';
import type { Node, Pod, PodDisruptionBudget } from '../api/schema/types.ts';
import type { Informer } from '../client/informer.ts';
import type { InformerSet } from '../client/informers.ts';
import { type Cluster, isTerminal } from './cluster.ts';
import { podRequests } from './pod-resources.ts';
import { schedulerNameOf } from './profile.ts';
import type { SchedulingQueue } from './queue.ts';

export interface PodNews {
  /** `leave`: it waits as it did, or not at all. */
  readonly queue: 'add' | 'remove' | 'leave';
  /** Whether pods that fitted nowhere may fit now. */
  readonly frees: boolean;
}

/** Whether pods of that scheduler name are this scheduler's. */
export type IsMine = (schedulerName: string) => boolean;

/** What a pod that came or changed means; `previous` is absent for one that came. */
export function podNews(pod: Pod, previous: Pod | undefined, isMine: IsMine): PodNews {
  if (pod.spec?.nodeName || isTerminal(pod) || pod.metadata.deletionTimestamp || !isMine(schedulerNameOf(pod)))
    return { queue: 'remove', frees: changesRoom(pod, previous) };
  const isGated = (of: Pod): boolean => (of.spec?.schedulingGates ?? []).length > 0;
  if (isGated(pod)) return { queue: 'leave', frees: false };
  // Our own status writes must not wake the pod that was just put to sleep.
  const isNews = !previous || previous.metadata.generation !== pod.metadata.generation || !sameLabels(previous, pod) || isGated(previous);
  return { queue: isNews ? 'add' : 'leave', frees: false };
}

/** A pod that ended or was resized makes room, and one that came may be the neighbour another waits for. */
function changesRoom(pod: Pod, previous: Pod | undefined): boolean {
  if (isTerminal(pod) !== (previous !== undefined && isTerminal(previous))) return true;
  if (previous?.spec?.nodeName !== pod.spec?.nodeName) return true;
  return previous !== undefined && !isDeepStrictEqual(podRequests(previous), podRequests(pod));
}

function sameLabels(a: Pod, b: Pod): boolean {
  return JSON.stringify(a.metadata.labels) === JSON.stringify(b.metadata.labels);
}

/** Whether a node's change may make a pod fit that did not. A heartbeat does not. */
export function nodeFrees(node: Node, previous: Node): boolean {
  const relevant = ({ metadata, spec, status }: Node): string =>
    JSON.stringify([metadata.labels, spec?.taints, spec?.unschedulable, status?.allocatable]);
  return relevant(node) !== relevant(previous);
}

export interface Followed {
  readonly pods: Informer<Pod>;
  readonly budgets: Informer<PodDisruptionBudget>;
  /** Resolves when all is known. */
  readonly synced: Promise<unknown>;
}

/** Follows the informers. */
export function addEventHandlers(informers: InformerSet, cluster: Cluster, queue: SchedulingQueue, isMine: IsMine): Followed {
  const podInformer = followPods(informers.of(pods), cluster, queue, isMine);
  const nodeInformer = informers.of(nodes).on({
    add(node) {
      cluster.setNode(node);
      queue.moveAll();
    },
    update(node, previous) {
      cluster.setNode(node);
      if (nodeFrees(node, previous)) queue.moveAll();
    },
    delete: (node) => cluster.removeNode(node.metadata.name),
  });
  const namespaceInformer = informers.of(namespaces);
  cluster.namespaceLabels = (name) => namespaceInformer.get(name)?.metadata.labels ?? {};
  const storage = followStorage(informers, cluster, queue);
  const budgets = informers.of(podDisruptionBudgets);
  const all = [podInformer, nodeInformer, namespaceInformer, budgets].map(({ synced }) => synced);
  return { pods: podInformer, budgets, synced: Promise.all([...all, storage]) };
}

function followPods(informer: Informer<Pod>, cluster: Cluster, queue: SchedulingQueue, isMine: IsMine): Informer<Pod> {
  const onPod = (pod: Pod, previous?: Pod): void => {
    const key = objectKey(pod);
    cluster.setPod(key, pod);
    const news = podNews(pod, previous, isMine);
    if (news.queue === 'remove') {
      queue.remove(key);
      cluster.nominations.forget(key);
    } else if (!cluster.isAssumed(key)) cluster.nominations.told(key, pod, previous);
    if (news.queue === 'add' && !cluster.isAssumed(key)) queue.add(key, pod.spec?.priority ?? 0);
    if (news.frees) queue.moveAll();
  };
  return informer.on({
    add: (pod) => onPod(pod),
    update: onPod,
    delete(pod) {
      const key = objectKey(pod);
      cluster.removePod(key);
      cluster.nominations.forget(key);
      queue.remove(key);
      queue.moveAll();
    },
  });
}

/** Claims, volumes and classes; any change of one may be what a pod waits for. */
function followStorage(informers: InformerSet, cluster: Cluster, queue: SchedulingQueue): Promise<unknown> {
  const moveAll = (): void => queue.moveAll();
  const follow = <T extends KubeObject>(type: ResourceType<T>): Informer<T> =>
    informers.of(type).on({ add: moveAll, update: moveAll, delete: moveAll });
  const [claims, volumes, classes] = [follow(persistentVolumeClaims), follow(persistentVolumes), follow(storageClasses)];
  cluster.storage = { claims, classes, volumes: { get: (name) => volumes.get(name), values: () => volumes.list().values() } };
  return Promise.all([claims, volumes, classes].map(({ synced }) => synced));
}
