/** Pods whose claims wait for them, from the choice of a node to the binding: the scheduler over an API server that tells its news when the test wants. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bindCompleted, boundByController, selectedNode } from '../api/placement/volume-claim.ts';
import { nodes, persistentVolumeClaims, persistentVolumes, pods, storageClasses } from '../api/resource-types.ts';
import type { PersistentVolume, PersistentVolumeClaim, Pod, StorageClass } from '../api/schema/types.ts';
import { refusal } from '../client/testing/fake-client.ts';
import { FakeCluster, turn } from '../client/testing/fake-cluster.ts';
import { type Log, silentLog } from '../observability/log.ts';
import { startScheduler } from './scheduler.ts';
import { asks, node, pod } from './testing/samples.ts';

class Bed extends FakeCluster {
  readonly warnings: string[] = [];
  readonly running: Promise<void>;

  constructor() {
    super();
    const log: Log = { ...silentLog, warn: (message) => void this.warnings.push(message) };
    const { client, informers, clock, signal } = this;
    this.running = startScheduler({ client, informers, clock, signal, log, random: () => 0 });
    for (const provisioner of ['kubernetes.io/no-provisioner', 'example.com/disks'])
      this.put(storageClasses, {
        ...{ apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', provisioner, volumeBindingMode: 'WaitForFirstConsumer' },
        metadata: { name: provisioner.startsWith('kubernetes') ? 'by-hand' : 'made' },
      } satisfies StorageClass);
  }

  async settle(): Promise<string[]> {
    await this.deliver();
    for (let i = 0; i < 10; i++) await turn();
    return this.client.took();
  }

  claim(name: string): PersistentVolumeClaim {
    const found = this.client.find<PersistentVolumeClaim>(persistentVolumeClaims, `default/${name}`);
    assert.ok(found);
    return found;
  }

  volume(name: string): PersistentVolume {
    const found = this.client.find<PersistentVolume>(persistentVolumes, name);
    assert.ok(found);
    return found;
  }

  putClaim(name: string, storageClassName = 'by-hand'): void {
    const spec = { storageClassName, accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
    this.put(persistentVolumeClaims, {
      ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim', spec, status: { phase: 'Pending' } },
      metadata: { name, namespace: 'default' },
    });
  }

  /** On a node. */
  putVolume(name: string, on: string, storageClassName = 'by-hand'): void {
    const matchExpressions = [{ key: 'kubernetes.io/hostname', operator: 'In', values: [on] }];
    const nodeAffinity = { required: { nodeSelectorTerms: [{ matchExpressions }] } };
    const spec = { storageClassName, accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, nodeAffinity };
    this.put(persistentVolumes, {
      ...{ apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name }, spec },
      status: { phase: 'Available' },
    });
  }

  /** What the persistentvolume-binder-controller does for its part. */
  finish(claim: string, volumeName: string): void {
    const { metadata, spec } = this.claim(claim);
    const annotations = { ...metadata.annotations, [bindCompleted]: 'yes' };
    const bound = { ...this.claim(claim), metadata: { ...metadata, annotations }, spec: { ...spec, volumeName } };
    this.put(persistentVolumeClaims, { ...bound, status: { phase: 'Bound' } });
  }

  annotate(claim: string, annotations: Record<string, string> | undefined): void {
    this.put(persistentVolumeClaims, { ...this.claim(claim), metadata: { ...this.claim(claim).metadata, annotations } });
  }
}

const uses = (...claims: readonly string[]): Pod['spec'] & object => ({
  ...asks('100m'),
  containers: [{ name: 'c' }],
  volumes: claims.map((claimName) => ({ name: claimName, persistentVolumeClaim: { claimName } })),
});

function bedWith(...names: readonly string[]): Bed {
  const bed = new Bed();
  for (const name of names) bed.put(nodes, node(name));
  return bed;
}

test('a claim gets the volume of the node that its pod gets, and the pod its node when the claim is bound', async () => {
  await using bed = bedWith('w1', 'w2');
  bed.putVolume('pv', 'w2');
  bed.putClaim('data');
  bed.put(pods, pod('p', uses('data')));
  assert.deepEqual(await bed.settle(), ['update persistentvolumes pv']);
  const { metadata, spec } = bed.volume('pv');
  assert.equal(spec?.claimRef?.uid, bed.claim('data').metadata.uid);
  assert.equal(metadata.annotations?.[boundByController], 'yes');
  assert.deepEqual(await bed.settle(), []);
  bed.finish('data', 'pv');
  assert.deepEqual(await bed.settle(), ['bind default/p to w2']);
  assert.deepEqual(bed.client.events, ['Normal Scheduled Successfully assigned default/p to w2']);
});

test('a volume is given to one claim only, before anybody tells of it', async () => {
  await using bed = bedWith('w1', 'w2');
  bed.putVolume('one', 'w1');
  for (const name of ['a', 'b']) {
    bed.putClaim(name);
    bed.put(pods, pod(name, uses(name)));
  }
  assert.deepEqual(await bed.settle(), ['update persistentvolumes one', 'patch pods/status default/b']);
  bed.putVolume('two', 'w2');
  assert.deepEqual(await bed.settle(), []);
  await bed.clock.advance(1_000);
  assert.deepEqual(await bed.settle(), ['update persistentvolumes two']);
  bed.finish('a', 'one');
  bed.finish('b', 'two');
  assert.deepEqual((await bed.settle()).toSorted(), ['bind default/a to w1', 'bind default/b to w2']);
});

test('two pods with one claim go where its volume is', async () => {
  await using bed = bedWith('w1', 'w2');
  bed.putVolume('pv', 'w2');
  bed.putClaim('data');
  for (const name of ['a', 'b']) bed.put(pods, pod(name, uses('data')));
  assert.deepEqual(await bed.settle(), ['update persistentvolumes pv']);
  bed.finish('data', 'pv');
  assert.deepEqual((await bed.settle()).toSorted(), ['bind default/a to w2', 'bind default/b to w2']);
});

test('a claim without a volume names the node to its provisioner, for all pods that have it', async () => {
  await using bed = bedWith('w1', 'w2');
  bed.putClaim('data', 'made');
  for (const name of ['a', 'b']) bed.put(pods, pod(name, uses('data')));
  assert.deepEqual(await bed.settle(), ['update persistentvolumeclaims default/data']);
  assert.equal(bed.claim('data').metadata.annotations?.[selectedNode], 'w1');
  assert.deepEqual(await bed.settle(), []);
  bed.putVolume('pv', 'w1', 'made');
  bed.finish('data', 'pv');
  assert.deepEqual((await bed.settle()).toSorted(), ['bind default/a to w1', 'bind default/b to w1']);
});

test('what a provisioner cannot make on a node is tried again', async () => {
  await using bed = bedWith('w1');
  bed.putClaim('data', 'made');
  bed.put(pods, pod('p', uses('data')));
  await bed.settle();
  await bed.settle();
  bed.annotate('data', {});
  await bed.settle();
  const says = 'running PreBind plugin "VolumeBinding": binding volumes: provisioning failed for PVC "data"';
  assert.deepEqual(bed.client.events, [`Warning FailedScheduling ${says}`]);
  bed.put(nodes, node('w1', { unschedulable: true }));
  bed.put(nodes, node('w2'));
  await bed.settle();
  await bed.clock.advance(1_000);
  await bed.settle();
  assert.equal(bed.claim('data').metadata.annotations?.[selectedNode], 'w2');
});

test('a write that fails is tried again, and the volume is free until then', async () => {
  await using bed = bedWith('w1');
  bed.client.refuse(/^update persistentvolumes/, refusal(500, 'InternalError', 'no'), 1);
  bed.putVolume('pv', 'w1');
  bed.putClaim('data');
  bed.putClaim('other');
  bed.put(pods, pod('p', uses('data')));
  assert.deepEqual(await bed.settle(), ['update persistentvolumes pv']);
  const says = 'running PreBind plugin "VolumeBinding": binding volumes: no';
  assert.deepEqual([bed.client.events, bed.warnings], [[`Warning FailedScheduling ${says}`], []]);
  bed.put(pods, pod('q', uses('other')));
  assert.deepEqual(await bed.settle(), ['update persistentvolumes pv']);
  assert.equal(bed.volume('pv').spec?.claimRef?.name, 'other');
});

const ends: readonly (readonly [what: string, change: (bed: Bed) => void, says: string])[] = [
  [
    'its volume is taken from the claim',
    (bed) => void bed.put(persistentVolumes, { ...bed.volume('pv'), spec: { ...bed.volume('pv').spec, claimRef: undefined } }),
    'ClaimRef got reset for pv "pv"',
  ],
  ['the volume goes', (bed) => bed.client.forget(persistentVolumes, 'pv'), 'failed to check binding: persistentvolume "pv" not found'],
  ['the claim goes', (bed) => bed.client.forget(persistentVolumeClaims, 'default/data'), 'persistentvolumeclaim "data" not found'],
  ['the claim gets another volume', (bed) => bed.finish('data', 'other'), 'claim "data" got another pv'],
  ['the node goes', (bed) => bed.client.forget(nodes, 'w1'), 'failed to get node "w1"'],
  [
    'the node is of another zone',
    (bed) => void bed.put(nodes, node('w1', { labels: { 'kubernetes.io/hostname': 'x' } })),
    'pv "pv" node affinity doesn\'t match node "w1"',
  ],
];
for (const [what, change, says] of ends)
  test(`a pod is tried again when ${what} while it waits`, async () => {
    await using bed = bedWith('w1');
    bed.putVolume('pv', 'w1');
    bed.putClaim('data');
    bed.put(pods, pod('p', uses('data')));
    await bed.settle();
    await bed.settle();
    assert.deepEqual(bed.client.events, []);
    change(bed);
    await bed.settle();
    assert.equal(bed.client.events[0], `Warning FailedScheduling running PreBind plugin "VolumeBinding": binding volumes: ${says}`);
  });

test('a pod is tried again when it has waited for ten minutes', async () => {
  await using bed = bedWith('w1');
  bed.putClaim('data', 'made');
  bed.put(pods, pod('p', uses('data')));
  await bed.settle();
  await bed.clock.advance(599_999);
  assert.deepEqual(bed.client.events, []);
  await bed.clock.advance(1);
  const says = 'running PreBind plugin "VolumeBinding": binding volumes: context deadline exceeded';
  assert.deepEqual(bed.client.events, [`Warning FailedScheduling ${says}`]);
});

test('of a pod that goes while it waits nothing is said, and one of its name has its own try', async () => {
  await using bed = bedWith('w1');
  bed.putClaim('data', 'made');
  bed.put(pods, pod('p', uses('data')));
  await bed.settle();
  bed.client.forget(pods, 'default/p');
  await bed.settle();
  bed.put(pods, pod('p', uses('data'), { uid: 'another' }));
  await bed.settle();
  bed.putVolume('pv', 'w1', 'made');
  bed.finish('data', 'pv');
  assert.deepEqual(await bed.settle(), ['bind default/p to w1']);
  assert.deepEqual([bed.warnings, bed.client.events], [[], ['Normal Scheduled Successfully assigned default/p to w1']]);
});

test('pods that wait for volumes keep no others from their nodes', async () => {
  await using bed = bedWith('w1');
  for (let i = 0; i < 40; i++) {
    bed.putClaim(`c${i}`, 'made');
    bed.put(pods, pod(`p${i}`, uses(`c${i}`)));
  }
  bed.put(pods, pod('last'));
  const written = await bed.settle();
  assert.equal(written.length, 41);
  assert.ok(written.includes('bind default/last to w1'));
});

test('the end of the scheduler waits for no volume', async () => {
  const bed = bedWith('w1');
  bed.putClaim('data', 'made');
  bed.put(pods, pod('p', uses('data')));
  await bed.settle();
  await bed[Symbol.asyncDispose]();
  await bed.running;
  assert.deepEqual([bed.warnings, bed.client.events], [[], []]);
});
