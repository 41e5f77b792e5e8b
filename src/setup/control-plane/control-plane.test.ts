import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node } from '../../api/schema/types.ts';
import { systemClock } from '../../clock/clock.ts';
import { KnownError } from '../../errors/known-error.ts';
import { markControlPlane } from './control-plane.ts';

const node = { metadata: { name: 'cp-2', labels: {} } } as Node;
const context = {
  clock: systemClock,
  signal: new AbortController().signal,
  timeoutMs: 60_000,
  steps: { note: () => {} },
} as unknown as Parameters<typeof markControlPlane>[0];

test('marks the Node of a control plane also when the API server was away for a moment', async () => {
  const patches: unknown[] = [];
  const patch = async (_type: unknown, name: string, change: unknown): Promise<never> => {
    patches.push([name, change]);
    if (patches.length === 1) throw new KnownError('API_UNREACHABLE', 'connect ECONNREFUSED', { hint: 'Is it running?' });
    return {} as never;
  };
  assert.equal(await markControlPlane(context, { patch }, node), true);
  const labels = { 'node-role.kubernetes.io/control-plane': '', 'node.kubernetes.io/exclude-from-external-load-balancers': '' };
  assert.deepEqual(patches, Array(2).fill(['cp-2', { metadata: { labels } }]));
});

test('leaves a Node that is marked', async () => {
  const marked = { metadata: { name: 'cp-2', labels: { 'node-role.kubernetes.io/control-plane': '' } } } as unknown as Node;
  assert.equal(await markControlPlane(context, { patch: () => assert.fail() }, marked), false);
});
