import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leases, nodes, pods } from '../../api/resource-types.ts';
import type { Node, Pod, Taint } from '../../api/schema/types.ts';
import { taintNodeUnreachable } from '../../api/well-known.ts';
import { timestamp } from '../../clock/timestamp.ts';
import { podOf } from '../testing/samples.ts';
import { TestBed } from '../testing/test-bed.ts';
import { NodeLifecycleController } from './controller.ts';
import { TaintEvictionController } from './taint-eviction.ts';

function node(name: string, taints: readonly Taint[] = [], ready: 'True' | 'False' = 'True'): Node {
  const conditions = [{ type: 'Ready', status: ready }];
  return { apiVersion: 'v1', kind: 'Node', metadata: { name }, spec: { taints: [...taints] }, status: { conditions } };
}

function renew(bed: TestBed, name: string): void {
  const spec = { renewTime: timestamp(bed.clock.now()) };
  bed.put(leases, { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name, namespace: 'kube-node-lease' }, spec });
}

function taintsOf(bed: TestBed, name: string): string[] {
  return (bed.client.find(nodes, name)?.spec?.taints ?? []).map(({ key, effect }) => `${key}:${effect}`);
}

test('a node whose Lease is renewed is left alone, and looked at when it would be silent', async () => {
  await using bed = new TestBed();
  bed.put(nodes, node('w1'));
  const controller = new NodeLifecycleController(bed.context);
  const news = bed.listen(controller);
  assert.deepEqual(await news.deliver(), ['w1']);
  await bed.clock.advance(30_000);
  renew(bed, 'w1');
  assert.deepEqual(await news.deliver(), []);
  const { writes, requeueAfter } = await bed.pass(controller, 'w1');
  assert.deepEqual(writes, []);
  // Forty seconds of grace from the renewal on, of which delivering took a tenth.
  assert.equal(requeueAfter, 40_001 - 100);
});

test('a node that is silent for forty seconds gets conditions and taints, and its pods get no traffic', async () => {
  await using bed = new TestBed();
  bed.put(nodes, node('w1'));
  bed.put(nodes, node('w2'));
  bed.put(pods, podOf(undefined, 'a', { node: 'w1', readyAt: 0 }));
  bed.put(pods, podOf(undefined, 'b', { node: 'w1' }));
  const controller = new NodeLifecycleController(bed.context);
  const news = bed.listen(controller);
  await news.deliver();
  await bed.clock.advance(39_000);
  renew(bed, 'w2');
  await news.deliver();
  assert.deepEqual((await bed.pass(controller, 'w1')).writes, []);
  await bed.clock.advance(1_000);
  const { writes, events, requeueAfter } = await bed.pass(controller, 'w1');
  assert.deepEqual(writes, ['patch nodes/status w1', 'patch pods/status default/a', 'patch nodes w1']);
  assert.deepEqual(events.slice(-1), ['Normal NodeNotReady Node w1 status is now: NodeNotReady']);
  assert.equal(requeueAfter, 5_000);
  assert.deepEqual(taintsOf(bed, 'w1'), [`${taintNodeUnreachable}:NoSchedule`, `${taintNodeUnreachable}:NoExecute`]);
  await news.deliver();
  assert.deepEqual((await bed.pass(controller, 'w1')).writes, []);
});

test('when no node at all is heard of pods stay where they are, and all nodes are looked at when the first is back', async () => {
  await using bed = new TestBed();
  bed.put(nodes, node('w1'));
  bed.put(nodes, node('w2'));
  const controller = new NodeLifecycleController(bed.context);
  const news = bed.listen(controller);
  await news.deliver();
  await bed.clock.advance(40_001);
  await bed.pass(controller, 'w1');
  await bed.pass(controller, 'w2');
  assert.deepEqual(taintsOf(bed, 'w1'), [`${taintNodeUnreachable}:NoSchedule`]);
  assert.deepEqual([...new Set(await news.deliver())], ['w1', 'w2']);
  renew(bed, 'w2');
  bed.put(nodes, node('w2', bed.client.find(nodes, 'w2')?.spec?.taints));
  assert.deepEqual([...new Set(await news.deliver())], ['w1', 'w2']);
  await bed.pass(controller, 'w1');
  assert.deepEqual(taintsOf(bed, 'w1'), [`${taintNodeUnreachable}:NoSchedule`, `${taintNodeUnreachable}:NoExecute`]);
});

const trouble: Taint = { key: 'example.com/fire', effect: 'NoExecute' };
const tolerating = (seconds: number): Partial<NonNullable<Pod['spec']>> => ({
  tolerations: [{ key: trouble.key, operator: 'Exists', tolerationSeconds: seconds }],
});

function podOn(name: string, spec: Partial<NonNullable<Pod['spec']>> = {}): Pod {
  const pod = podOf(undefined, name, { node: 'w1' });
  return { ...pod, spec: { containers: [], ...pod.spec, ...spec } };
}

test('a pod that does not tolerate a taint goes at once, and one that does for a while goes after it, whatever the wall clock does', async () => {
  await using bed = new TestBed();
  bed.put(nodes, node('w1'));
  for (const pod of [podOn('a'), podOn('b', tolerating(30)), podOn('c', { tolerations: [{ operator: 'Exists' }] })]) bed.put(pods, pod);
  const controller = new TaintEvictionController(bed.context);
  const news = bed.listen(controller);
  await news.deliver();
  bed.put(nodes, node('w1', [trouble]));
  assert.deepEqual(await news.deliver(), ['default/a', 'default/b', 'default/c']);
  const [a, b, c] = [
    await bed.pass(controller, 'default/a'),
    await bed.pass(controller, 'default/b'),
    await bed.pass(controller, 'default/c'),
  ];
  assert.deepEqual([a.writes, a.events], [['delete pods default/a'], ['Normal TaintManagerEviction Marking for deletion Pod default/a']]);
  assert.deepEqual([b.writes, c], [[], { writes: [], events: [] }]);
  assert.ok(b.requeueAfter !== undefined && b.requeueAfter > 29_000 && b.requeueAfter <= 30_000);
  bed.clock.leap(-3600_000);
  await bed.clock.advance(b.requeueAfter);
  assert.deepEqual((await bed.pass(controller, 'default/b')).writes, ['delete pods default/b']);
});

test('a pod whose name is another pod by now is not deleted for it', async () => {
  await using bed = new TestBed();
  bed.put(nodes, node('w1', [trouble]));
  bed.put(pods, podOn('a'));
  const controller = new TaintEvictionController(bed.context);
  await bed.listen(controller).deliver();
  bed.client.forget(pods, 'default/a');
  bed.put(pods, { ...podOn('a'), metadata: { name: 'a', namespace: 'default', uid: 'another' } });
  assert.equal((await bed.pass(controller, 'default/a')).error, undefined);
  assert.equal(bed.client.find(pods, 'default/a')?.metadata.uid, 'another');
});
