import assert from 'node:assert/strict';
import test from 'node:test';
import type { Pod } from '../../api/schema/types.ts';
import { samplePod } from '../testing/pod-samples.ts';
import { isRelabelled, needsSync } from './pod-change.ts';

const pod = (metadata: Partial<Pod['metadata']>, spec: Pod['spec'] = { containers: [] }): Pod => samplePod(spec, metadata);

test('isRelabelled() sees labels and annotations, and nothing else', () => {
  const before = pod({ labels: { a: '1' }, annotations: { b: '1' } });
  assert.ok(!isRelabelled(before, pod({ labels: { a: '1' }, annotations: { b: '1' }, resourceVersion: '2' })));
  assert.ok(isRelabelled(before, pod({ labels: { a: '2' }, annotations: { b: '1' } })));
  assert.ok(isRelabelled(before, pod({ labels: { a: '1' }, annotations: {} })));
});

for (const [sentence, before, after, wanted] of [
  ['a status alone', pod({ generation: 1 }), pod({ generation: 1, resourceVersion: '2' }), false],
  ['another spec', pod({ generation: 1 }), pod({ generation: 2 }), true],
  ['an API server that counts no generations', pod({}), pod({}), true],
  [
    'conditions that somebody else may have set',
    pod({ generation: 1 }),
    pod({ generation: 1 }, { containers: [], readinessGates: [{ conditionType: 'x' }] }),
    true,
  ],
  ['gates without any condition', pod({ generation: 1 }), pod({ generation: 1 }, { containers: [], readinessGates: [] }), false],
  ['its deletion', pod({ generation: 1 }), pod({ generation: 1, deletionTimestamp: '2026-01-01T00:00:00Z' }), true],
  ['less time to end', pod({ generation: 1, deletionGracePeriodSeconds: 30 }), pod({ generation: 1, deletionGracePeriodSeconds: 1 }), true],
] as const)
  test(`needsSync() is ${wanted} for ${sentence}`, () => assert.equal(needsSync(before, after), wanted));
