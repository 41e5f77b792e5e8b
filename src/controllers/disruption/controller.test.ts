import assert from 'node:assert/strict';
import { test } from 'node:test';
import { podDisruptionBudgets, pods, replicaSets, replicationControllers } from '../../api/resource-types.ts';
import type { Pod, PodDisruptionBudget, PodDisruptionBudgetSpec, ReplicationController } from '../../api/schema/types.ts';
import { timestamp } from '../../clock/timestamp.ts';
import { podOf, replicaSetOf, webSelector } from '../testing/samples.ts';
import { TestBed } from '../testing/test-bed.ts';
import { DisruptionController } from './controller.ts';
import { StaleTargetController } from './stale-target.ts';

const key = 'default/web';
const written = 'update poddisruptionbudgets/status default/web';
const set = replicaSetOf(3);
const ready = (name: string): Pod => podOf(set, name, { readyAt: 0 });

function budget(spec: PodDisruptionBudgetSpec, status?: PodDisruptionBudget['status']): PodDisruptionBudget {
  const metadata = { name: 'web', namespace: 'default', uid: 'uid-budget' };
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata,
    spec: { selector: webSelector, ...spec },
    ...(status ? { status } : {}),
  };
}

async function start(bed: TestBed, one: PodDisruptionBudget, ...there: readonly Pod[]): Promise<DisruptionController> {
  bed.put(podDisruptionBudgets, one);
  bed.put(replicaSets, set);
  for (const pod of there) bed.put(pods, pod);
  const controller = new DisruptionController(bed.context);
  await bed.deliver();
  return controller;
}

function statusOf(bed: TestBed): PodDisruptionBudget['status'] {
  return bed.client.find(podDisruptionBudgets, key)?.status;
}

test('a budget counts its pods against what their controllers want, and says so once', async () => {
  await using bed = new TestBed();
  const controller = await start(bed, budget({ maxUnavailable: 1 }), ready('a'), ready('b'), ready('c'));
  assert.deepEqual(await bed.pass(controller, key), { writes: [written], events: [] });
  const { expectedPods, desiredHealthy, currentHealthy, disruptionsAllowed } = statusOf(bed) ?? {};
  assert.deepEqual([expectedPods, desiredHealthy, currentHealthy, disruptionsAllowed], [3, 2, 3, 1]);
  await bed.deliver();
  assert.deepEqual(await bed.pass(controller, key), { writes: [], events: [] });
});

test('a budget without pods says so in an event', async () => {
  await using bed = new TestBed();
  const controller = await start(bed, budget({ minAvailable: 1 }));
  assert.deepEqual((await bed.pass(controller, key)).events, ['Normal NoPods No matching pods found']);
});

test('a number needs no controllers; a share of pods that have none is told of', async () => {
  await using bed = new TestBed();
  const alone = podOf(undefined, 'a', { readyAt: 0 });
  const controller = await start(bed, budget({ minAvailable: 1 }), alone);
  assert.deepEqual((await bed.pass(controller, key)).events, []);
  bed.put(podDisruptionBudgets, budget({ minAvailable: '50%' }));
  await bed.deliver();
  assert.match((await bed.pass(controller, key)).events[0] ?? '', /^Warning UnmanagedPods .*selector: app=web/);
});

test('a budget whose controllers have no number lets nobody go, and says why', async () => {
  await using bed = new TestBed();
  const owner = { apiVersion: 'batch/v1', kind: 'Job', name: 'j', uid: 'uid-j', controller: true };
  const controller = await start(bed, budget({ maxUnavailable: 1 }), podOf(undefined, 'a', { more: { ownerReferences: [owner] } }));
  const { writes, events } = await bed.pass(controller, key);
  assert.deepEqual(writes, [written]);
  const why = 'jobs.batch does not implement the scale subresource';
  assert.deepEqual(events, [`Warning CalculateExpectedPodCountFailed Failed to calculate the number of expected pods: ${why}`]);
  const { disruptionsAllowed, conditions } = statusOf(bed) ?? {};
  assert.deepEqual([disruptionsAllowed, conditions?.[0]?.reason, conditions?.[0]?.message], [0, 'SyncFailed', why]);
});

test('an eviction that was allowed and not made in two minutes is told of, and looked for in time', async () => {
  await using bed = new TestBed();
  const disruptedPods = { a: timestamp(bed.clock.now() - 90_000) };
  const status = { disruptedPods, disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 };
  const controller = await start(bed, budget({ maxUnavailable: 1 }, status), ready('a'), ready('b'), ready('c'));
  const { requeueAfter = 0 } = await bed.pass(controller, key);
  assert.ok(requeueAfter > 29_000 && requeueAfter <= 30_000);
  await bed.clock.advance(requeueAfter);
  await bed.deliver();
  assert.deepEqual((await bed.pass(controller, key)).events, [
    "Warning NotDeleted Pod was expected by PDB default/web to be deleted but it wasn't",
  ]);
});

test('news of a pod brings its budgets, by its labels of before too, and a scaling brings those of the namespace', async () => {
  await using bed = new TestBed();
  bed.put(podDisruptionBudgets, budget({ minAvailable: 1 }));
  const rc: ReplicationController = { apiVersion: 'v1', kind: 'ReplicationController', metadata: { name: 'rc', namespace: 'default' } };
  bed.put(replicationControllers, { ...rc, spec: { replicas: 1 } });
  bed.put(pods, ready('a'));
  const news = bed.listen(new DisruptionController(bed.context));
  await news.deliver();
  bed.put(pods, podOf(set, 'a', { labels: { app: 'other' }, readyAt: 0 }));
  assert.deepEqual(await news.deliver(), [key]);
  bed.put(pods, podOf(set, 'a', { labels: { app: 'third' }, readyAt: 0 }));
  assert.deepEqual(await news.deliver(), []);
  bed.put(replicationControllers, { ...rc, spec: { replicas: 1 }, status: { replicas: 1 } });
  assert.deepEqual(await news.deliver(), []);
  bed.put(replicationControllers, { ...rc, spec: { replicas: 2 } });
  assert.deepEqual(await news.deliver(), [key]);
});

test('what nobody deletes is disrupted no longer after two minutes', async () => {
  await using bed = new TestBed();
  const target = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'EvictionByEvictionAPI',
    lastTransitionTime: timestamp(bed.clock.now()),
  };
  bed.put(pods, { ...ready('a'), status: { phase: 'Running', conditions: [target] } });
  bed.put(pods, { ...ready('b'), status: { phase: 'Running', conditions: [{ ...target, reason: 'TerminationByKubelet' }] } });
  const controller = new StaleTargetController(bed.context);
  assert.deepEqual(await bed.listen(controller).deliver(), ['default/a']);
  const { requeueAfter = 0, writes } = await bed.pass(controller, 'default/a');
  assert.deepEqual(writes, []);
  await bed.clock.advance(requeueAfter - 1);
  assert.equal((await bed.pass(controller, 'default/a')).requeueAfter, 1);
  await bed.clock.advance(1);
  assert.deepEqual((await bed.pass(controller, 'default/a')).writes, ['patch pods/status default/a']);
  assert.equal(bed.client.find(pods, 'default/a')?.status?.conditions?.[0]?.status, 'False');
});
