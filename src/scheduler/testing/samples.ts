/** Nodes, pods and clusters for the scheduler's tests. */
import { objectKey } from '../../api/object-key.ts';
import type { Node, Pod, PodSpec } from '../../api/schema/types.ts';
import { Cluster } from '../cluster.ts';

export interface NodeTraits {
  readonly labels?: Record<string, string>;
  readonly taints?: NonNullable<Node['spec']>['taints'];
  readonly unschedulable?: boolean;
  readonly allocatable?: Record<string, string>;
  /** Bytes by name. */
  readonly images?: Record<string, number>;
}

export function node(name: string, { labels, taints, unschedulable, allocatable, images = {} }: NodeTraits = {}): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
    spec: { taints, unschedulable },
    status: {
      allocatable: { cpu: '2', memory: '4Gi', pods: '110', ...allocatable },
      images: Object.entries(images).map(([image, sizeBytes]) => ({ names: [image], sizeBytes })),
    },
  };
}

export function pod(name: string, spec: Partial<PodSpec> = {}, metadata: Partial<Pod['metadata']> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', ...metadata },
    spec: { containers: [{ name: 'c', image: 'x' }], ...spec },
  };
}

export function asks(cpu: string, memory: string = '1Mi'): Partial<PodSpec> {
  return { containers: [{ name: 'c', resources: { requests: { cpu, memory } } }] };
}

/** `placed`: pods and the nodes that they run on. */
export function clusterOf(nodes: readonly Node[], placed: readonly (readonly [Pod, string])[] = []): Cluster {
  const cluster = new Cluster();
  for (const n of nodes) cluster.setNode(n);
  for (const [p, nodeName] of placed) cluster.setPod(objectKey(p), { ...p, spec: { containers: [], ...p.spec, nodeName } });
  return cluster;
}
