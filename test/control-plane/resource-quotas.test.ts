/** A namespace with a ResourceQuota: what is counted, what is refused, and room again once something goes. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { configMaps, deployments, namespaces, pods, replicaSets, resourceQuotas } from '../../src/api/resource-types.ts';
import type { Deployment, ResourceQuota } from '../../src/api/schema/types.ts';
import { isForbidden } from '../../src/client/api-error.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { ControlPlane, usual } from './testing/control-plane.ts';

const namespace = 'shop';

describe('a namespace with a ResourceQuota', () => {
  let cp: ControlPlane;

  before(async () => {
    cp = await ControlPlane.start({ controllers: [...usual, 'resourcequota-controller'] });
    await cp.client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
    await eventually('what every namespace has', () => cp.client.get(configMaps, 'kube-root-ca.crt', { namespace }));
    const spec = { hard: { pods: '3', 'count/deployments.apps': '1', configmaps: '2' } };
    await cp.client.create(resourceQuotas, { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'q', namespace }, spec });
  });
  after(() => cp.stop());

  const used = async (expected: Record<string, string>): Promise<void> => {
    await eventually(JSON.stringify(expected), async () => {
      const { status } = (await cp.client.get(resourceQuotas, 'q', { namespace })) as ResourceQuota;
      assert.deepEqual(status?.used, expected);
    });
  };
  const configMap = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace } });

  test('counts what was there before', () => used({ configmaps: '1', 'count/deployments.apps': '0', pods: '0' }));

  test('has as many pods as it may, and its ReplicaSet says why there are no more', async () => {
    const labels = { app: 'web' };
    const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } };
    await cp.client.create(deployments, {
      ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace } },
      spec: { replicas: 5, selector: { matchLabels: labels }, template },
    } as unknown as Deployment);
    await used({ configmaps: '1', 'count/deployments.apps': '1', pods: '3' });
    await eventually('the condition of the ReplicaSet', async () => {
      const [set] = (await cp.client.list(replicaSets, { namespace })).items;
      const failure = set?.status?.conditions?.find((one) => one.type === 'ReplicaFailure');
      assert.match(failure?.message ?? '', /exceeded quota: q, requested: pods=1, used: pods=3, limited: pods=3/);
    });
    assert.equal((await cp.client.list(pods, { namespace })).items.length, 3);
  });

  test('has room again for what goes', async () => {
    await cp.client.create(configMaps, configMap('a'));
    await assert.rejects(cp.client.create(configMaps, configMap('b')), isForbidden);
    await cp.client.delete(configMaps, 'a', { namespace });
    await eventually('a place', () => cp.client.create(configMaps, configMap('b')));
    await cp.client.delete(deployments, 'web', { namespace });
    await used({ configmaps: '2', 'count/deployments.apps': '0', pods: '0' });
  });
});
