import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { configMaps, pods, type ResourceType, resourceQuotas } from '../../api/resource-types.ts';
import type { Pod, ResourceQuota } from '../../api/schema/types.ts';
import { TestBed } from '../testing/test-bed.ts';
import { ResourceQuotaController } from './controller.ts';
import { statusOf } from './desired.ts';

const key = 'default/q';
const quotaOf = (hard: Record<string, string>, status?: ResourceQuota['status'], spec: object = {}): ResourceQuota => ({
  ...{ apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'q', namespace: 'default', resourceVersion: '1' } },
  ...{ spec: { hard, ...spec }, status },
});
const podOf = (name: string, phase: string = 'Running', namespace: string = 'default'): Pod =>
  ({
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, uid: name } },
    ...{ spec: { containers: [{ name: 'c', resources: { requests: { cpu: '100m' } } }] }, status: { phase } },
  }) as unknown as Pod;

async function start(quota: ResourceQuota, ...there: readonly Pod[]): Promise<{ bed: TestBed; controller: ResourceQuotaController }> {
  const bed = new TestBed();
  bed.put(resourceQuotas, quota);
  for (const pod of there) bed.put(pods, pod);
  const controller = new ResourceQuotaController(bed.context);
  await bed.deliver();
  return { bed, controller };
}

describe('resourcequota-controller', () => {
  test('counts what there is, and looks again soon, as a write may have been under way', async () => {
    const { bed, controller } = await start(
      quotaOf({ pods: '5', 'requests.cpu': '1' }),
      podOf('a'),
      podOf('b', 'Failed'),
      podOf('c', 'Running', 'other'),
    );
    const pass = controller.reconcile(key);
    await bed.deliver();
    assert.deepEqual(await pass, { requeueAfter: 5_000 });
    assert.deepEqual(bed.client.took(), ['update resourcequotas/status default/q']);
    assert.deepEqual(bed.client.find(resourceQuotas, key)?.status, {
      hard: { pods: '5', 'requests.cpu': '1' },
      used: { pods: '1', 'requests.cpu': '100m' },
    });
  });

  test('leaves alone a status that is right', async () => {
    const { bed, controller } = await start(quotaOf({ pods: '5' }, { hard: { pods: '5' }, used: { pods: '1' } }), podOf('a'));
    const pass = controller.reconcile(key);
    await bed.deliver();
    assert.deepEqual(await pass, { requeueAfter: 300_000 });
    assert.deepEqual(bed.client.took(), []);
  });

  test('hears of pods that go or end, and of quotas that are changed, not of charges', async () => {
    const { bed, controller } = await start(quotaOf({ pods: '5' }, { hard: { pods: '5' }, used: { pods: '2' } }), podOf('a'), podOf('b'));
    const news = bed.listen(controller);
    assert.deepEqual(await news.deliver(), [key]);
    const pass = controller.reconcile(key);
    await bed.deliver();
    await pass;
    bed.put(pods, podOf('c'));
    assert.deepEqual(await news.deliver(), []);
    bed.put(pods, podOf('a', 'Succeeded'));
    assert.deepEqual(await news.deliver(), [key]);
    bed.client.forget(pods, 'default/b');
    assert.deepEqual(await news.deliver(), [key]);
    bed.put(resourceQuotas, quotaOf({ pods: '5' }, { hard: { pods: '5' }, used: { pods: '3' } }));
    assert.deepEqual(await news.deliver(), []);
    bed.put(resourceQuotas, quotaOf({ pods: '6' }, { hard: { pods: '5' }, used: { pods: '3' } }));
    assert.deepEqual(await news.deliver(), [key]);
  });
});

describe('statusOf()', () => {
  const used = (quota: ResourceQuota, objects: readonly object[]): unknown => statusOf(quota, () => objects as never, 0)?.used;

  test('counts only what is in all scopes', () => {
    const best = { metadata: { name: 'b' }, spec: { containers: [{ name: 'c' }] } };
    assert.deepEqual(used(quotaOf({ pods: '5' }, undefined, { scopes: ['BestEffort'] }), [podOf('a'), best]), { pods: '1' });
  });

  test('keeps what was known of a kind that is not served, and forgets what is bounded no more', () => {
    const before = { hard: { pods: '1', 'count/a.b': '1', secrets: '1' }, used: { pods: '1', 'count/a.b': '1', secrets: '1' } };
    const quota = quotaOf({ pods: '1', 'count/a.b': '2' }, before);
    const status = statusOf(quota, ({ group }) => (group === 'b' ? undefined : []), 0);
    assert.deepEqual(status, { hard: { pods: '1', 'count/a.b': '2' }, used: { pods: '0', 'count/a.b': '1' } });
  });

  test('of a quota of nothing is empty, once', () => {
    assert.deepEqual(
      statusOf(quotaOf({}), () => [], 0),
      { hard: {}, used: {} },
    );
    assert.equal(
      statusOf(quotaOf({}, { hard: {}, used: {} }), () => [], 0),
      undefined,
    );
  });

  test('counts under both names of a ConfigMap', () => {
    const type: ResourceType = configMaps;
    assert.equal(type.resource, 'configmaps');
    assert.deepEqual(used(quotaOf({ configmaps: '5', 'count/configmaps': '5' }), [{ metadata: {} }, { metadata: {} }]), {
      configmaps: '2',
      'count/configmaps': '2',
    });
  });
});
