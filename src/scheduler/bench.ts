/**
 * `node src/scheduler/bench.ts [NODES] [PODS]`: pods per second, for choosing alone and for the whole scheduler against an API
 * that answers at once.
 */

import { objectKey } from '../api/object-key.ts';
import { nodes, pods } from '../api/resource-types.ts';
import type { Node, Pod, PodSpec } from '../api/schema/types.ts';
import { labelHostname, labelTopologyZone, taintNodeNotReady, taintNodeUnreachable } from '../api/well-known.ts';
import type { Client } from '../client/client.ts';
import type { InformerHandlers } from '../client/informer.ts';
import type { InformerSet } from '../client/informers.ts';
import { silentLog } from '../observability/log.ts';
import { choose } from './choose.ts';
import { Cluster } from './cluster.ts';
import { defaultProfile } from './profile.ts';
import { startScheduler } from './scheduler.ts';
import { node, pod } from './testing/samples.ts';

const nodeCount = Number(process.argv[2] ?? 1000);
const podCount = Number(process.argv[3] ?? 10_000);
const zoneCount = 10;

function nodeAt(i: number): Node {
  const name = `node-${i}`;
  const allocatable = { cpu: '32', memory: '128Gi', pods: '110' };
  return node(name, { labels: { [labelHostname]: name, [labelTopologyZone]: `zone-${i % zoneCount}` }, allocatable });
}

const containers = [{ name: 'main', image: 'example.com/app:1', resources: { requests: { cpu: '100m', memory: '64Mi' } } }];
const tolerations = [taintNodeNotReady, taintNodeUnreachable].map((key) => ({
  key,
  operator: 'Exists',
  effect: 'NoExecute',
  tolerationSeconds: 300,
}));

function podAt(i: number, spec: Partial<PodSpec>): Pod {
  const owner = `owner-${i % 100}`;
  const ownerReferences = [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: owner, uid: owner, controller: true }];
  return pod(`pod-${i}`, { containers, tolerations, ...spec }, { uid: `uid-${i}`, labels: { app: owner }, ownerReferences });
}

const apart = (i: number, topologyKey: string): Partial<PodSpec> => {
  const term = { labelSelector: { matchLabels: { app: `owner-${i % 100}` } }, topologyKey };
  return { affinity: { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, podAffinityTerm: term }] } } };
};
const together = (i: number): Partial<PodSpec> => {
  const term = { labelSelector: { matchLabels: { app: `owner-${i % 100}` } }, topologyKey: labelTopologyZone };
  return { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } } };
};
const inZone = (i: number): Partial<PodSpec> => ({
  nodeSelector: { [labelTopologyZone]: `zone-${i % zoneCount}` },
});

const kinds: Readonly<Record<string, { readonly share: number; readonly spec: (i: number) => Partial<PodSpec> }>> = {
  plain: { share: 1, spec: () => ({}) },
  'node selector': { share: 1, spec: inZone },
  'preferred anti-affinity by host': { share: 0.2, spec: (i) => apart(i, labelHostname) },
  'required affinity by zone': { share: 0.2, spec: together },
  'fits nowhere': { share: 0.2, spec: () => ({ nodeSelector: { no: 'where' } }) },
};

function report(what: string, count: number, startedAt: number): void {
  const ms = performance.now() - startedAt;
  console.log(`${what.padEnd(48)} ${Math.round((count / ms) * 1000)} pods/s`);
}

for (const [name, { share, spec }] of Object.entries(kinds)) {
  const cluster = new Cluster();
  for (let i = 0; i < nodeCount; i++) cluster.setNode(nodeAt(i));
  const all = Array.from({ length: Math.round(podCount * share) }, (_, i) => podAt(i, spec(i)));
  const startedAt = performance.now();
  for (const [i, p] of all.entries()) {
    const choice = choose(p, cluster, defaultProfile, i, (i % 97) / 97);
    if (choice.kind === 'node') cluster.assume(objectKey(p), p, choice.name);
  }
  report(`choose, ${nodeCount} nodes, ${name}`, all.length, startedAt);
}

/** An informer whose news the bench makes. */
function stubInformer<T extends { metadata: { namespace?: string | undefined; name: string } }>(items: readonly T[]) {
  const objects = new Map(items.map((o) => [objectKey(o), o]));
  const handlers: InformerHandlers<T>[] = [];
  return {
    synced: Promise.resolve(),
    get: (key: string) => objects.get(key),
    on(more: InformerHandlers<T>) {
      handlers.push(more);
      for (const o of objects.values()) more.add?.(o);
      return this;
    },
    update(next: T) {
      const previous = objects.get(objectKey(next));
      objects.set(objectKey(next), next);
      if (previous) for (const h of handlers) h.update?.(next, previous);
    },
  };
}

const podInformer = stubInformer(Array.from({ length: podCount }, (_, i) => podAt(i, {})));
const nodeInformer = stubInformer(Array.from({ length: nodeCount }, (_, i) => nodeAt(i)));
const stop = new AbortController();
let bound = 0;
const client = {
  async createSubresource(_type: unknown, name: string, _sub: string, body: { target: { name: string } }) {
    const p = podInformer.get(`default/${name}`);
    if (p) podInformer.update({ ...p, spec: { containers: [], ...p.spec, nodeName: body.target.name } });
    if (++bound === podCount) stop.abort();
  },
  create: async () => ({}),
  patch: async () => ({}),
} as unknown as Client;
const informers = {
  of: (type: unknown) => (type === pods ? podInformer : type === nodes ? nodeInformer : stubInformer([])),
} as unknown as InformerSet;
const startedAt = performance.now();
await startScheduler({ client, informers, log: silentLog, signal: stop.signal });
report(`scheduler, ${nodeCount} nodes, plain`, podCount, startedAt);
