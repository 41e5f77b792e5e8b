/**
 * What the plugins read: every node with the pods on it. Pods that were given a node a moment ago count at once ("assumed"),
 * long before the informer tells of their binding.
 */
import type { Node, PersistentVolume, PersistentVolumeClaim, Pod, StorageClass } from '../api/schema/types.ts';
import { AssumedVolumes } from './assumed-volumes.ts';
import { NodeInfo } from './node-info.ts';
import { Nominations } from './nominations.ts';

/** A pod that ended uses nothing. */
export function isTerminal(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

/** What a pod's volumes are bound to, by key: informers. */
interface Storage {
  readonly claims: Lookup<PersistentVolumeClaim>;
  readonly volumes: Lookup<PersistentVolume> & Pick<ReadonlyMap<string, PersistentVolume>, 'values'>;
  readonly classes: Lookup<StorageClass>;
}

type Lookup<T> = Pick<ReadonlyMap<string, T>, 'get'>;

export class Cluster {
  readonly #nodes = new Map<string, NodeInfo>();
  /** Only those that have a Node object. */
  #ready: NodeInfo[] | undefined;
  readonly #nodeOfPod = new Map<string, string>();
  readonly #assumed = new Set<string>();
  readonly nominations: Nominations = new Nominations();
  /** How many pods have affinity terms of their own, anywhere: none makes the affinity plugin free. */
  affinityPods = 0;
  readonly assumedVolumes: AssumedVolumes = new AssumedVolumes();
  storage: Storage = { claims: new Map(), volumes: new Map(), classes: new Map() };
  /** The labels of a namespace, for terms with a namespaceSelector. */
  namespaceLabels: (name: string) => Readonly<Record<string, string>> = () => ({});

  /** Nodes that exist, in the order they came. */
  get nodes(): readonly NodeInfo[] {
    this.#ready ??= [...this.#nodes.values()].filter((n) => n.node !== undefined);
    return this.#ready;
  }

  /** Undefined where there is no such node. */
  nodeNamed(name: string): NodeInfo | undefined {
    const info = this.#nodes.get(name);
    return info?.node && info;
  }

  #info(name: string): NodeInfo {
    const info = this.#nodes.get(name) ?? new NodeInfo(name);
    this.#nodes.set(name, info);
    return info;
  }

  setNode(node: Node): void {
    const info = this.#info(node.metadata.name);
    if (!info.node) this.#ready = undefined;
    info.node = node;
  }

  removeNode(name: string): void {
    const info = this.#nodes.get(name);
    if (!info) return;
    info.node = undefined;
    if (info.pods.size === 0) this.#nodes.delete(name);
    this.#ready = undefined;
  }

  /** A pod as the API tells it; replaces what was assumed. */
  setPod(key: string, pod: Pod): void {
    const nodeName = pod.spec?.nodeName;
    if (!nodeName || isTerminal(pod)) {
      // An update of a pod that is being bound right now does not yet know its node.
      if (nodeName || !this.#assumed.has(key)) this.removePod(key);
      return;
    }
    this.#place(key, pod, nodeName);
    this.#assumed.delete(key);
  }

  /** Counts the pod on the node until setPod confirms or removePod takes it back. */
  assume(key: string, pod: Pod, nodeName: string): void {
    this.#place(key, pod, nodeName);
    this.#assumed.add(key);
    this.nominations.forget(key);
  }

  isAssumed(key: string): boolean {
    return this.#assumed.has(key);
  }

  #place(key: string, pod: Pod, nodeName: string): void {
    this.removePod(key);
    const info = this.#info(nodeName);
    info.addPod(key, pod);
    if (info.podsWithAffinity.has(key)) this.affinityPods++;
    this.#nodeOfPod.set(key, nodeName);
  }

  removePod(key: string): void {
    this.#assumed.delete(key);
    const nodeName = this.#nodeOfPod.get(key);
    if (nodeName === undefined) return;
    this.#nodeOfPod.delete(key);
    const info = this.#nodes.get(nodeName);
    if (!info) return;
    if (info.podsWithAffinity.has(key)) this.affinityPods--;
    info.removePod(key);
    if (info.pods.size === 0 && !info.node) this.#nodes.delete(nodeName);
  }
}
