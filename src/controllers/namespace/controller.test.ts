import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configMaps, events, namespaces, pods, type ResourceType } from '../../api/resource-types.ts';
import type { ConfigMap, Event, Namespace } from '../../api/schema/types.ts';
import type { DiscoveredResource } from '../../client/discovery.ts';
import { refusal } from '../../client/testing/fake-client.ts';
import { podOf } from '../testing/samples.ts';
import { TestBed } from '../testing/test-bed.ts';
import { NamespaceController } from './controller.ts';

const verbs = ['list', 'delete'];
const discovered: readonly DiscoveredResource[] = [
  { ...(events as ResourceType), verbs },
  { ...configMaps, verbs },
  { ...pods, verbs },
  { ...namespaces, verbs },
];

const ending: Namespace = {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'default', deletionTimestamp: '2026-01-01T00:00:00Z' },
  spec: { finalizers: ['kubernetes', 'example.com/mine'] },
};
const settings: ConfigMap = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'a', namespace: 'default', finalizers: ['example.com/x'] },
};
const order = ['delete collection pods default', 'delete collection configmaps default', 'delete collection events default'];

async function start(bed: TestBed, namespace: Namespace): Promise<NamespaceController> {
  bed.put(namespaces, namespace);
  bed.client.serves = discovered;
  const controller = new NamespaceController(bed.context);
  await bed.deliver();
  return controller;
}

function messages(bed: TestBed): (string | undefined)[] {
  return (bed.client.find(namespaces, 'default')?.status?.conditions ?? []).filter((c) => c.status === 'True').map((c) => c.message);
}

test('a namespace that is not deleted, or that others empty, is left alone', async () => {
  await using bed = new TestBed();
  const { deletionTimestamp: _, ...metadata } = ending.metadata;
  const controller = await start(bed, { ...ending, metadata });
  assert.deepEqual(await bed.pass(controller, 'default'), { writes: [], events: [] });
  bed.put(namespaces, { ...ending, spec: { finalizers: ['example.com/mine'] } });
  await bed.deliver();
  assert.deepEqual(await bed.pass(controller, 'default'), { writes: [], events: [] });
});

test('pods go first and events last, then the namespace is let go', async () => {
  await using bed = new TestBed();
  bed.put(events as ResourceType, { apiVersion: 'v1', kind: 'Event', metadata: { name: 'e', namespace: 'default' } } as Event);
  const controller = await start(bed, ending);
  assert.deepEqual(await bed.pass(controller, 'default'), { writes: [...order, 'update namespaces/finalize default'], events: [] });
  assert.deepEqual(bed.client.find(namespaces, 'default')?.spec?.finalizers, ['example.com/mine']);
});

test('while a pod is in its grace the rest stays, and is looked at again within a second', async () => {
  await using bed = new TestBed();
  bed.put(pods, podOf(undefined, 'a', { node: 'w1' }));
  bed.put(configMaps, settings);
  const controller = await start(bed, ending);
  const { writes, requeueAfter } = await bed.pass(controller, 'default');
  assert.deepEqual(writes, ['delete collection pods default', 'update namespaces/status default']);
  assert.equal(requeueAfter, 1_000);
  assert.deepEqual(messages(bed), ['Some resources are remaining: pods. has 1 resource instances']);
});

test('what only finalizers hold is told, and looked at less often', async () => {
  await using bed = new TestBed();
  bed.put(configMaps, settings);
  const controller = await start(bed, ending);
  assert.equal((await bed.pass(controller, 'default')).requeueAfter, 8_000);
  assert.deepEqual(messages(bed), [
    'Some resources are remaining: configmaps. has 1 resource instances',
    'Some content in the namespace has finalizers remaining: example.com/x in 1 resource instances',
  ]);
  await bed.deliver();
  assert.deepEqual((await bed.pass(controller, 'default')).writes, order);
});

test('a resource that cannot be deleted is told, and keeps the namespace', async () => {
  await using bed = new TestBed();
  bed.client.refuse(/delete collection configmaps/, refusal(500, 'InternalError', 'webhook is down'));
  const controller = await start(bed, ending);
  const { writes } = await bed.pass(controller, 'default');
  assert.deepEqual(writes, [...order, 'update namespaces/status default']);
  assert.deepEqual(messages(bed), ['Failed to delete all resource types: configmaps: webhook is down']);
});

test('a resource that went away meanwhile holds nothing up', async () => {
  await using bed = new TestBed();
  bed.client.refuse(/delete collection configmaps/, refusal(404, 'NotFound'));
  const controller = await start(bed, ending);
  assert.deepEqual((await bed.pass(controller, 'default')).writes.slice(-1), ['update namespaces/finalize default']);
});
