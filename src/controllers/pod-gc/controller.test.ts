import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodes, pods } from '../../api/resource-types.ts';
import type { Node } from '../../api/schema/types.ts';
import { refusal } from '../../client/testing/fake-client.ts';
import { podOf } from '../testing/samples.ts';
import { TestBed } from '../testing/test-bed.ts';
import { PodGarbageCollector } from './controller.ts';
import { planPodGc, quarantineMs } from './desired.ts';

const w1: Node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'w1' } };

test('pods of a node that is gone go after forty seconds, unless it comes back', async () => {
  await using bed = new TestBed();
  bed.put(nodes, w1);
  bed.put(pods, podOf(undefined, 'a', { node: 'w1' }));
  bed.put(pods, podOf(undefined, 'b', { node: 'lost' }));
  const collector = new PodGarbageCollector(bed.context);
  await bed.deliver();
  assert.deepEqual(await bed.pass(collector, ''), { writes: [], events: [], requeueAfter: 20_000 });
  await bed.clock.advance(39_999);
  assert.deepEqual((await bed.pass(collector, '')).writes, []);
  await bed.clock.advance(1);
  assert.deepEqual((await bed.pass(collector, '')).writes, ['delete pods default/b']);
  bed.put(nodes, { ...w1, metadata: { name: 'lost' } });
  await bed.deliver();
  await bed.pass(collector, '');
  bed.client.forget(nodes, 'lost');
  bed.put(pods, podOf(undefined, 'c', { node: 'lost' }));
  await bed.deliver();
  assert.deepEqual((await bed.pass(collector, '')).writes, []);
});

test('one refusal keeps no other pod', async () => {
  await using bed = new TestBed();
  const leaving = { deletionTimestamp: '2026-01-01T00:00:00Z' };
  for (const name of ['a', 'b']) bed.put(pods, podOf(undefined, name, { phase: 'Pending', more: leaving }));
  bed.client.refuse(/delete pods default\/a/, refusal(500, 'InternalError'));
  const collector = new PodGarbageCollector(bed.context);
  await bed.deliver();
  assert.deepEqual((await bed.pass(collector, '')).writes, ['delete pods default/a', 'delete pods default/b']);
});

test('planPodGc() takes the oldest of more than 12,500 pods that ended, and no pod that has a place', () => {
  const ended = Array.from({ length: 12_502 }, (_, i) =>
    podOf(undefined, `p${i}`, {
      node: 'w1',
      phase: i % 2 ? 'Failed' : 'Succeeded',
      more: { creationTimestamp: new Date((99_999 - i) * 1000).toISOString() },
    }),
  );
  const found = planPodGc([podOf(undefined, 'runs', { node: 'w1' }), podOf(undefined, 'waits'), ...ended], new Map([['w2', quarantineMs]]));
  assert.deepEqual(
    found.map(({ pod, why }) => [pod.metadata.name, why]),
    [
      ['p12501', 'too many pods have ended'],
      ['p12500', 'too many pods have ended'],
    ],
  );
});
