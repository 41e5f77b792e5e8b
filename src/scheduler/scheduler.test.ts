import assert from 'node:assert/strict';
import { test } from 'node:test';
import { namespaces, nodes, persistentVolumeClaims, persistentVolumes, pods } from '../api/resource-types.ts';
import type { Pod } from '../api/schema/types.ts';
import { refusal } from '../client/testing/fake-client.ts';
import { FakeCluster, turn } from '../client/testing/fake-cluster.ts';
import { type Log, silentLog } from '../observability/log.ts';
import type { Plugin } from './plugin.ts';
import { defaultProfile } from './profile.ts';
import { startScheduler } from './scheduler.ts';
import { asks, node, pod } from './testing/samples.ts';

/** A scheduler at work on a cluster whose news it hears by `settle`. */
class Bed extends FakeCluster {
  readonly warnings: string[] = [];
  running: Promise<void> | undefined;

  start(...names: string[]): this {
    const log: Log = { ...silentLog, warn: (message) => void this.warnings.push(message) };
    const { client, informers, clock, signal } = this;
    const profiles = names.map((name) => ({ ...defaultProfile, name }));
    this.running = startScheduler({ client, informers, clock, signal, log, random: () => 0, ...(names.length === 0 ? {} : { profiles }) });
    return this;
  }

  /** Tells the news, and lets the scheduler do what comes of them. Gives what it wrote. */
  async settle(): Promise<string[]> {
    await this.deliver();
    for (let i = 0; i < 5; i++) await turn();
    return this.client.took();
  }

  condition(name: string): string | undefined {
    const found = this.client.find<Pod>(pods, `default/${name}`)?.status?.conditions?.find((c) => c.type === 'PodScheduled');
    return found && `${found.status} ${found.reason} ${found.message}`;
  }
}

const short = '0/1 nodes are available: 1 Insufficient cpu.';

test('a pod gets a node, and is told so', async () => {
  await using bed = new Bed().start();
  bed.put(nodes, node('w1'));
  bed.put(pods, pod('p'));
  assert.deepEqual(await bed.settle(), ['bind default/p to w1']);
  assert.deepEqual(bed.client.events, ['Normal Scheduled Successfully assigned default/p to w1']);
  assert.deepEqual(await bed.settle(), []);
});

test('each profile has the pods that name it, and tells them so under its name', async () => {
  await using bed = new Bed().start('default-scheduler', 'second');
  bed.put(nodes, node('w1'));
  for (const schedulerName of ['second', 'default-scheduler', 'third']) bed.put(pods, pod(schedulerName, { schedulerName }));
  assert.deepEqual((await bed.settle()).toSorted(), ['bind default/default-scheduler to w1', 'bind default/second to w1']);
});

test('a pod that fits nowhere is told why, once, and tried again when a node comes', async () => {
  await using bed = new Bed().start();
  bed.put(nodes, node('w1'));
  bed.put(pods, pod('p', asks('3')));
  assert.deepEqual(await bed.settle(), ['patch pods/status default/p']);
  const message = `${short} preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.`;
  assert.deepEqual(bed.client.events, [`Warning FailedScheduling ${message}`]);
  assert.equal(bed.condition('p'), `False Unschedulable ${message}`);
  await bed.clock.advance(60_000);
  assert.deepEqual(await bed.settle(), []);
  bed.put(nodes, node('w2', { allocatable: { cpu: '4' } }));
  assert.deepEqual(await bed.settle(), ['bind default/p to w2']);
});

test('what it has just placed counts before anybody tells of it', async () => {
  await using bed = new Bed().start();
  bed.put(nodes, node('w1'));
  bed.put(nodes, node('w2'));
  for (const name of ['a', 'b', 'c']) bed.put(pods, pod(name, asks('1500m')));
  assert.deepEqual(await bed.settle(), ['bind default/a to w1', 'bind default/b to w2', 'patch pods/status default/c']);
});

test('a pod that goes makes room for one that waits, once its delay is over', async () => {
  await using bed = new Bed().start();
  bed.put(nodes, node('w1'));
  bed.put(pods, pod('a', { ...asks('2'), nodeName: 'w1' }));
  bed.put(pods, pod('p', asks('1')));
  assert.deepEqual(await bed.settle(), ['patch pods/status default/p']);
  bed.client.forget(pods, 'default/a');
  assert.deepEqual(await bed.settle(), []);
  await bed.clock.advance(1_000);
  assert.deepEqual(await bed.settle(), ['bind default/p to w1']);
});

test('a refusal is written again when it says something else', async () => {
  await using bed = new Bed().start();
  bed.put(nodes, node('w1'));
  bed.put(pods, pod('p', asks('3')));
  await bed.settle();
  const since = bed.client.find<Pod>(pods, 'default/p')?.status?.conditions?.[0]?.lastTransitionTime;
  await bed.clock.advance(10_000);
  bed.put(nodes, node('w2', { unschedulable: true }));
  assert.deepEqual(await bed.settle(), ['patch pods/status default/p']);
  assert.match(bed.condition('p') ?? '', /^False Unschedulable 0\/2 nodes are available/);
  assert.equal(bed.client.find<Pod>(pods, 'default/p')?.status?.conditions?.[0]?.lastTransitionTime, since);
});

test('a pod at which a plugin fails is told so and tried again, and keeps no other from its node', async () => {
  let isBroken = true;
  const fragile: Plugin = {
    name: 'Fragile',
    prepare({ metadata }) {
      if (isBroken && metadata.name === 'odd') throw new TypeError('what is this?');
      return undefined;
    },
  };
  await using bed = new Bed();
  const said: string[] = [];
  const log: Log = { ...silentLog, error: (message) => void said.push(message) };
  const { client, informers, clock, signal } = bed;
  const profiles = [{ ...defaultProfile, plugins: [fragile, ...defaultProfile.plugins] }];
  const running = startScheduler({ client, informers, clock, signal, log, profiles });
  bed.put(nodes, node('w1'));
  for (const name of ['odd', 'plain']) bed.put(pods, pod(name));
  assert.deepEqual(await bed.settle(), ['bind default/plain to w1']);
  assert.deepEqual(said, ['Cannot look for a node for pod "default/odd": what is this?']);
  assert.ok(bed.client.events.includes('Warning FailedScheduling what is this?'), String(bed.client.events));
  isBroken = false;
  await bed.clock.advance(1_000);
  assert.deepEqual(await bed.settle(), ['bind default/odd to w1']);
  await bed[Symbol.asyncDispose]();
  await running;
});

const failures: readonly (readonly [string, Error, readonly string[]])[] = [
  [
    'that the server refuses is said and tried again',
    refusal(500, 'InternalError', 'no'),
    ['Cannot bind pod "default/p" to node "w1": no'],
  ],
  [
    "in a namespace that ends is nobody's trouble",
    refusal(403, 'Forbidden', 'it is being terminated', { causes: [{ reason: 'NamespaceTerminating' }] }),
    [],
  ],
  ["that somebody else was faster with is nobody's trouble", refusal(409, 'Conflict', 'taken'), []],
];
for (const [what, err, warnings] of failures)
  test(`a binding ${what}`, async () => {
    await using bed = new Bed().start();
    bed.client.refuse(/^bind/, err, 1);
    bed.put(nodes, node('w1'));
    bed.put(pods, pod('p', asks('2')));
    assert.deepEqual(await bed.settle(), ['bind default/p to w1']);
    assert.deepEqual(bed.warnings, warnings);
    // Its place is free again at once.
    bed.put(pods, pod('q', asks('2'), { creationTimestamp: '2026-01-01T00:00:00Z' }));
    assert.deepEqual(await bed.settle(), ['bind default/q to w1']);
    await bed.clock.advance(1_000);
    assert.deepEqual(await bed.settle(), ['patch pods/status default/p']);
  });

test('a pod that is gone when it is to be bound is tried no more once that is known', async () => {
  await using bed = new Bed().start();
  bed.put(nodes, node('w1'));
  bed.put(pods, pod('p', asks('2')));
  bed.client.refuse(/^bind/, refusal(404, 'NotFound'), 1);
  assert.deepEqual(await bed.settle(), ['bind default/p to w1']);
  bed.client.forget(pods, 'default/p');
  assert.deepEqual(await bed.settle(), []);
  await bed.clock.advance(60_000);
  assert.deepEqual(await bed.settle(), []);
});

test('only pods that name it are its own', async () => {
  await using bed = new Bed().start('mine');
  bed.put(nodes, node('w1'));
  bed.put(pods, pod('p', { schedulerName: 'mine' }));
  bed.put(pods, pod('q'));
  assert.deepEqual(await bed.settle(), ['bind default/p to w1']);
});

test('labels of namespaces, claims and volumes are heard of', async () => {
  await using bed = new Bed().start();
  for (const name of ['w1', 'w2']) bed.put(nodes, node(name));
  bed.put(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'other', labels: { team: 'x' } } });
  bed.put(pods, pod('a', { nodeName: 'w2' }, { namespace: 'other', labels: { app: 'web' } }));
  const term = {
    topologyKey: 'kubernetes.io/hostname',
    labelSelector: { matchLabels: { app: 'web' } },
    namespaceSelector: { matchLabels: { team: 'x' } },
  };
  bed.put(pods, pod('p', { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } } }));
  assert.deepEqual(await bed.settle(), ['bind default/p to w2']);
  bed.put(pods, pod('q', { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }] }));
  await bed.settle();
  assert.match(bed.condition('q') ?? '', /persistentvolumeclaim "c" not found/);
  const annotations = { 'pv.kubernetes.io/bind-completed': 'yes' };
  bed.put(persistentVolumeClaims, {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'c', namespace: 'default', annotations },
    spec: { volumeName: 'pv' },
  });
  await bed.clock.advance(10_000);
  await bed.settle();
  assert.match(bed.condition('q') ?? '', /persistentvolume "pv" not found/);
  bed.put(persistentVolumes, { apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: 'pv' } });
  await bed.clock.advance(10_000);
  assert.match((await bed.settle()).join(), /bind default\/q to w/);
});

test('a cordoned node that is opened, and a node that goes, are heard of', async () => {
  await using bed = new Bed().start();
  bed.put(nodes, node('w1', { unschedulable: true }));
  bed.put(pods, pod('p'));
  await bed.settle();
  await bed.clock.advance(10_000);
  bed.put(nodes, node('w1'));
  assert.deepEqual(await bed.settle(), ['bind default/p to w1']);
  bed.client.forget(nodes, 'w1');
  bed.put(pods, pod('q'));
  await bed.settle();
  assert.equal(bed.condition('q'), 'False Unschedulable no nodes available to schedule pods');
});

test('it ends with the signal, also before its first list is in', async () => {
  const bed = new Bed().start();
  await bed[Symbol.asyncDispose]();
  await bed.running;
});

const disrupted = 'PreemptionByScheduler default-scheduler: preempting to accommodate a higher priority pod';

/** A node that a pod of low priority fills; `victim` is what became of it. */
async function full(bed: Bed): Promise<{ victim(): Pod | undefined }> {
  bed.put(nodes, node('w1'));
  bed.put(pods, pod('a', { ...asks('2'), nodeName: 'w1', priority: 1 }));
  await bed.settle();
  return { victim: () => bed.client.find<Pod>(pods, 'default/a') };
}

test('a pod of higher priority has one of lower evicted, waits for its end, and gets its place', async () => {
  await using bed = new Bed().start();
  const { victim } = await full(bed);
  bed.put(pods, pod('p', { ...asks('1'), priority: 7 }));
  const written = await bed.settle();
  assert.deepEqual(written.toSorted(), ['delete pods default/a', 'patch pods/status default/a', 'patch pods/status default/p']);
  assert.equal(bed.client.find<Pod>(pods, 'default/p')?.status?.nominatedNodeName, 'w1');
  assert.equal(bed.condition('p'), `False Unschedulable ${short}`);
  const target = victim()?.status?.conditions?.find(({ type }) => type === 'DisruptionTarget');
  assert.equal(`${target?.reason} ${target?.message}`, disrupted);
  assert.deepEqual(bed.client.events.toSorted(), [
    'Normal Preempted Preempted by pod uid-p on node w1',
    `Warning FailedScheduling ${short}`,
  ]);
  // Its grace runs; another pod that comes is no reason to preempt again, and does not get the room.
  await bed.clock.advance(5_000);
  bed.put(pods, pod('q', { ...asks('1500m'), priority: 6 }));
  await bed.settle();
  bed.put(nodes, node('w2', { unschedulable: true }));
  await bed.settle();
  await bed.clock.advance(10_000);
  assert.deepEqual(
    (await bed.settle()).filter((line) => line.startsWith('delete') || line.startsWith('bind')),
    [],
  );
  bed.client.forget(pods, 'default/a');
  const first = await bed.settle();
  await bed.clock.advance(10_000);
  const binds = [...first, ...(await bed.settle())].filter((line) => line.startsWith('bind'));
  assert.deepEqual(binds, ['bind default/p to w1']);
});

test('a pod that may not preempt waits, and says so', async () => {
  await using bed = new Bed().start();
  await full(bed);
  bed.put(pods, pod('p', { ...asks('1'), priority: 7, preemptionPolicy: 'Never' }));
  assert.deepEqual(await bed.settle(), ['patch pods/status default/p']);
  assert.equal(bed.condition('p'), `False Unschedulable ${short} preemption: not eligible due to preemptionPolicy=Never.`);
});

test('a pod for which no node is kept any more is told so', async () => {
  await using bed = new Bed().start();
  bed.put(nodes, node('w1'));
  bed.put(pods, { ...pod('p', asks('3')), status: { nominatedNodeName: 'w1' } });
  await bed.settle();
  assert.equal(bed.client.find<Pod>(pods, 'default/p')?.status?.nominatedNodeName, undefined);
});

test('one of lower priority gives up the node that is kept for it when another one makes its room there', async () => {
  await using bed = new Bed().start();
  await full(bed);
  bed.put(pods, pod('p', { ...asks('2'), priority: 7 }));
  await bed.settle();
  bed.put(pods, pod('q', { ...asks('2'), priority: 8 }));
  await bed.settle();
  const nominated = ['p', 'q'].map((name) => bed.client.find<Pod>(pods, `default/${name}`)?.status?.nominatedNodeName);
  assert.deepEqual(nominated, [undefined, 'w1']);
});

for (const [code, reason] of [
  [500, 'InternalError'],
  [409, 'Conflict'],
] as const)
  test(`an eviction that fails with ${code} is said and tried again`, async () => {
    await using bed = new Bed().start();
    const { victim } = await full(bed);
    bed.client.refuse(/^delete pods/, refusal(code, reason, 'no'), 1);
    bed.put(pods, pod('p', { ...asks('1'), priority: 7 }));
    await bed.settle();
    assert.deepEqual(
      [bed.warnings, victim()?.metadata.deletionTimestamp],
      [['Cannot make room for pod "default/p" on node "w1": no'], undefined],
    );
    await bed.clock.advance(1_000);
    await bed.settle();
    assert.ok(victim()?.metadata.deletionTimestamp);
  });

test('whoever has the name of a victim by now is left alone', async () => {
  await using bed = new Bed().start();
  const { victim } = await full(bed);
  bed.put(pods, pod('p', { ...asks('1'), priority: 7 }));
  await bed.deliver();
  bed.client.put(pods, pod('a', { ...asks('2'), nodeName: 'w1', priority: 1 }, { uid: 'another' }));
  for (let i = 0; i < 5; i++) await turn();
  assert.deepEqual([victim()?.metadata.uid, victim()?.metadata.deletionTimestamp], ['another', undefined]);
});
