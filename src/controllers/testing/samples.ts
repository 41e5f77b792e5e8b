/** Small objects for tests of controllers. */
import type { KubeObject } from '../../api/resource-types.ts';
import type { Node, Pod, PodTemplateSpec, ReplicaSet, Taint, Toleration } from '../../api/schema/types.ts';
import { controllerRef } from '../ownership/owner.ts';

export const template: PodTemplateSpec = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };

export const webSelector: { readonly matchLabels: Record<string, string> } = { matchLabels: { app: 'web' } };

export function replicaSetOf(replicas: number, more: Partial<ReplicaSet['metadata']> = {}): ReplicaSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name: 'web', namespace: 'default', uid: 'uid-web', generation: 1, ...more },
    spec: { replicas, selector: webSelector, template },
  };
}

export interface PodTraits {
  readonly labels?: Readonly<Record<string, string>>;
  readonly node?: string;
  readonly phase?: string;
  /** Seconds since the epoch of tests when it became ready; absent: it is not. */
  readonly readyAt?: number | undefined;
  readonly tolerations?: readonly Toleration[];
  readonly more?: Partial<Pod['metadata']>;
}

/** A pod of `owner`, or nobody's. */
export function podOf(owner: KubeObject | undefined, name: string, traits: PodTraits = {}): Pod {
  const { labels = { app: 'web' }, node, phase = 'Running', readyAt, tolerations, more } = traits;
  const since = new Date(Date.UTC(2026, 0, 1) + (readyAt ?? 0) * 1000).toISOString();
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      uid: `uid-${name}`,
      labels: { ...labels },
      ...(owner ? { ownerReferences: [controllerRef(owner)] } : {}),
      ...more,
    },
    spec: {
      containers: [],
      ...(node === undefined ? {} : { nodeName: node }),
      ...(tolerations === undefined ? {} : { tolerations: [...tolerations] }),
    },
    status: { phase, ...(readyAt === undefined ? {} : { conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: since }] }) },
  };
}

/** Nobody's pod, ready since the epoch of tests. */
export function readyPod(name: string, traits: PodTraits = {}): Pod {
  return podOf(undefined, name, { labels: {}, readyAt: 0, ...traits });
}

export interface NodeTraits {
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: readonly Taint[];
  readonly unschedulable?: boolean;
  /** The status of its condition Ready. */
  readonly ready?: string;
}

export function nodeOf(name: string, { labels = {}, taints, unschedulable, ready }: NodeTraits = {}): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { ...labels } },
    spec: { ...(taints ? { taints: [...taints] } : {}), ...(unschedulable === undefined ? {} : { unschedulable }) },
    status: { conditions: ready === undefined ? [] : [{ type: 'Ready', status: ready }] },
  };
}
