import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node, Taint } from '../../api/schema/types.ts';
import { systemClock } from '../../clock/clock.ts';
import { KnownError } from '../../errors/known-error.ts';
import { controlPlaneTaint, markControlPlane, refuseEnded } from './control-plane.ts';

const { signal } = new AbortController();
const context = { clock: systemClock, signal, timeoutMs: 60_000, steps: { note: () => {} } } as unknown as Parameters<
  typeof markControlPlane
>[0];
const labels = { 'node-role.kubernetes.io/control-plane': '', 'node.kubernetes.io/exclude-from-external-load-balancers': '' };

function worker(taints: readonly Taint[] = []): Node {
  return { metadata: { name: 'cp-2', resourceVersion: '7', labels: {} }, spec: { taints } } as unknown as Node;
}

/** An API server that refuses the first `refusals` patches; gives what it was asked to change. */
async function mark(node: Node, taints: readonly Taint[], refusals = 0): Promise<unknown[]> {
  const patches: unknown[] = [];
  const get = async (): Promise<never> => node as never;
  const patch = async (_type: unknown, _name: string, change: unknown): Promise<never> => {
    patches.push(change);
    if (patches.length <= refusals) throw new KnownError('API_UNREACHABLE', 'connect ECONNREFUSED', { hint: 'Is it running?' });
    return {} as never;
  };
  assert.equal(await markControlPlane(context, { get, patch }, node, taints), true);
  return patches;
}

test('marks the Node of a control plane also when the API server was away for a moment', async () => {
  const marks = { metadata: { labels, resourceVersion: '7' }, spec: { taints: [controlPlaneTaint] } };
  assert.deepEqual(await mark(worker(), [controlPlaneTaint], 1), [marks, marks]);
});

test('a Node keeps its own taints, and has each key and effect once', async () => {
  const own: Taint = { key: 'own', value: '1', effect: 'NoSchedule' };
  const [change] = await mark(worker([own, { ...controlPlaneTaint, value: 'old' }]), [controlPlaneTaint]);
  assert.deepEqual((change as { readonly spec: unknown }).spec, { taints: [own, controlPlaneTaint] });
});

test('who asked for no taint gets none', async () => {
  const [change] = await mark(worker(), []);
  assert.deepEqual((change as { readonly spec: unknown }).spec, { taints: [] });
});

test('leaves a Node that is marked, also one whose taint somebody took away', async () => {
  const marked = { metadata: { name: 'cp-2', labels } } as unknown as Node;
  const never = (): never => assert.fail();
  assert.equal(await markControlPlane(context, { get: never, patch: never }, marked, [controlPlaneTaint]), false);
});

test('refuses a certificate that has ended, and says how to renew it; not one that others use', () => {
  const now = Date.UTC(2030, 0, 1);
  const one = (name: string, validToDate: number): Parameters<typeof refuseEnded>[0][number] => ({
    name,
    path: `/x/${name}`,
    leaf: { validToDate: new Date(validToDate) } as never,
  });
  refuseEnded([one('apiserver', now + 1), one('of-others', 0), { name: 'admin.conf', path: '/x/admin.conf' }], now);
  for (const name of ['apiserver', 'admin.conf'])
    assert.throws(() => refuseEnded([one('scheduler.conf', now + 1), one(name, now)], now), {
      code: 'BAD_CONFIG',
      message: `Cannot use /x/${name}: it ended on 2030-01-01T00:00:00.000Z`,
      hint: 'fairlead certs renew; then this command again',
    });
});
