import { hostPortsOf } from '../api/placement/host-ports.ts';
import type { Node, Pod } from '../api/schema/types.ts';
import { type Amounts, amountsOf, podRequests, scoringRequests } from './pod-resources.ts';

/** What a pod takes of its node. */
export interface PodShare {
  readonly pod: Pod;
  readonly requests: Amounts;
  readonly scoring: { readonly cpu: number; readonly memory: number };
  readonly ports: readonly string[];
}

export function hasAffinity(pod: Pod): boolean {
  return pod.spec?.affinity?.podAffinity !== undefined || pod.spec?.affinity?.podAntiAffinity !== undefined;
}

/** A node and the sum of what runs there, kept by increments. */
export class NodeInfo {
  readonly name: string;
  #node: Node | undefined;
  allocatable: Amounts = {};
  /** Images on the node by every name they have, in bytes. */
  images: ReadonlyMap<string, number> = new Map();
  readonly pods: Map<string, Pod> = new Map();
  readonly podsWithAffinity: Map<string, Pod> = new Map();
  readonly requested: Record<string, number> = {};
  /** cpu and memory with a guess for containers that state none. */
  readonly scoring: { cpu: number; memory: number } = { cpu: 0, memory: 0 };
  readonly hostPorts: Map<string, number> = new Map();
  /** How many pods of each owner (by uid) are here. */
  readonly owners: Map<string, number> = new Map();
  readonly #shares = new Map<string, PodShare>();

  constructor(name: string) {
    this.name = name;
  }

  /** Undefined while pods are known to be bound to a node that is not (or no longer) there. */
  get node(): Node | undefined {
    return this.#node;
  }

  set node(node: Node | undefined) {
    this.#node = node;
    this.allocatable = amountsOf(node?.status?.allocatable ?? node?.status?.capacity);
    const images = new Map<string, number>();
    for (const image of node?.status?.images ?? []) for (const name of image.names ?? []) images.set(name, image.sizeBytes ?? 0);
    this.images = images;
  }

  get labels(): Readonly<Record<string, string>> {
    return this.#node?.metadata.labels ?? {};
  }

  /** As it is now, to be changed by itself. */
  copy(): NodeInfo {
    const copy = new NodeInfo(this.name);
    copy.#node = this.#node;
    copy.allocatable = this.allocatable;
    copy.images = this.images;
    for (const share of this.#shares) copy.putBack(...share);
    return copy;
  }

  addPod(key: string, pod: Pod): void {
    this.putBack(key, { pod, requests: podRequests(pod), scoring: scoringRequests(pod), ports: hostPortsOf(pod) });
  }

  /** What `removePod` gave, or another's share. */
  putBack(key: string, share: PodShare): void {
    const { pod } = share;
    this.removePod(key);
    this.#shares.set(key, share);
    this.pods.set(key, pod);
    if (hasAffinity(pod)) this.podsWithAffinity.set(key, pod);
    this.#count(share, 1);
  }

  removePod(key: string): PodShare | undefined {
    const share = this.#shares.get(key);
    if (!share) return undefined;
    this.#shares.delete(key);
    this.pods.delete(key);
    this.podsWithAffinity.delete(key);
    this.#count(share, -1);
    return share;
  }

  #count(share: PodShare, sign: 1 | -1): void {
    for (const [name, amount] of Object.entries(share.requests)) this.requested[name] = (this.requested[name] ?? 0) + sign * amount;
    this.scoring.cpu += sign * share.scoring.cpu;
    this.scoring.memory += sign * share.scoring.memory;
    for (const port of share.ports) tally(this.hostPorts, port, sign);
    for (const owner of share.pod.metadata.ownerReferences ?? []) if (owner.controller) tally(this.owners, owner.uid, sign);
  }
}

function tally(counts: Map<string, number>, key: string, more: 1 | -1): void {
  const n = (counts.get(key) ?? 0) + more;
  if (n > 0) counts.set(key, n);
  else counts.delete(key);
}
