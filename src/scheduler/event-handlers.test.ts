import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node, Pod } from '../api/schema/types.ts';
import { nodeFrees, type PodNews, podNews } from './event-handlers.ts';

type Spec = Partial<NonNullable<Pod['spec']>>;

function pod(spec: Spec = {}, more: { generation?: number; labels?: Record<string, string>; phase?: string; ends?: boolean } = {}): Pod {
  const { generation = 1, labels = {}, phase = 'Pending', ends = false } = more;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'n', generation, labels, ...(ends ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}) },
    spec: { containers: [{ name: 'main', image: 'a' }], ...spec },
    status: { phase },
  };
}

const onNode = { nodeName: 'w1' };
const gated = { schedulingGates: [{ name: 'g' }] };
const larger = { ...onNode, containers: [{ name: 'main', image: 'a', resources: { requests: { cpu: '2' } } }] };

const cases: readonly [what: string, pod: Pod, previous: Pod | undefined, news: PodNews][] = [
  ['a new pod is tried', pod(), undefined, { queue: 'add', frees: false }],
  ['a pod that names this scheduler is tried', pod({ schedulerName: 'default-scheduler' }), undefined, { queue: 'add', frees: false }],
  ["another scheduler's pod is left to it", pod({ schedulerName: 'other' }), undefined, { queue: 'remove', frees: false }],
  ['a pod with a gate is not tried yet', pod(gated), undefined, { queue: 'leave', frees: false }],
  ['a pod whose last gate opens is tried', pod(), pod(gated), { queue: 'add', frees: false }],
  ['a status that was written wakes nobody', pod(), pod(), { queue: 'leave', frees: false }],
  ['a pod whose spec changed is tried again', pod({}, { generation: 2 }), pod(), { queue: 'add', frees: false }],
  ['a pod whose labels changed is tried again', pod({}, { labels: { a: 'b' } }), pod(), { queue: 'add', frees: false }],
  ['a pod on a node may be the neighbour of another', pod(onNode), undefined, { queue: 'remove', frees: true }],
  ['a pod that was bound may be the neighbour of another', pod(onNode), pod(), { queue: 'remove', frees: true }],
  ['news of a pod on a node wake nobody', pod(onNode), pod(onNode), { queue: 'remove', frees: false }],
  ['a pod that ended makes room', pod(onNode, { phase: 'Succeeded' }), pod(onNode), { queue: 'remove', frees: true }],
  [
    'a pod that ended makes room once',
    pod(onNode, { phase: 'Failed' }),
    pod(onNode, { phase: 'Failed' }),
    { queue: 'remove', frees: false },
  ],
  ['a pod that was resized may make room', pod(onNode), pod(larger), { queue: 'remove', frees: true }],
  ['a pod that is being deleted is not tried', pod({}, { ends: true }), pod(), { queue: 'remove', frees: false }],
];
for (const [what, now, previous, news] of cases)
  test(what, () => {
    assert.deepEqual(
      podNews(now, previous, (name) => name === 'default-scheduler'),
      news,
    );
  });

test("another scheduler's name takes the pods that name it alone", () => {
  const isMine = (name: string): boolean => name === 'mine';
  assert.equal(podNews(pod({ schedulerName: 'mine' }), undefined, isMine).queue, 'add');
  assert.equal(podNews(pod(), undefined, isMine).queue, 'remove');
});

const node: Node = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'w1', labels: {} },
  spec: {},
  status: { allocatable: { cpu: '1' } },
};
const changes: readonly [what: string, change: Partial<Node>, frees: boolean][] = [
  ['a heartbeat', { status: { allocatable: { cpu: '1' }, conditions: [{ type: 'Ready', status: 'True' }] } }, false],
  ['a label', { metadata: { name: 'w1', labels: { disk: 'ssd' } } }, true],
  ['a taint', { spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } }, true],
  ['uncordon', { spec: { unschedulable: true } }, true],
  ['more room', { status: { allocatable: { cpu: '2' } } }, true],
];
for (const [what, change, frees] of changes)
  test(`${what} of a node ${frees ? 'may make a pod fit' : 'wakes no pod'}`, () => {
    assert.equal(nodeFrees({ ...node, ...change }, node), frees);
  });
