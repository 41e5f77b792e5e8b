import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { serviceCidrs, services } from '../../src/api/resource-types.ts';
import type { ServiceCIDR } from '../../src/api/schema/types.ts';
import { isNotFound } from '../../src/client/api-error.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { ControlPlane } from './testing/control-plane.ts';
import { service } from './testing/manifests.ts';

describe('ServiceCIDRs', () => {
  test('become ready, give addresses, and stay until the last address is given back', async () => {
    const cp = await ControlPlane.start({ controllers: ['service-cidr-controller'], nodes: 0, scheduler: false, kubelet: false });
    try {
      const { client } = cp;
      const readiness = (c: ServiceCIDR): unknown => c.status?.conditions?.map((one) => [one.type, one.status, one.reason]);
      const is = (wanted: readonly unknown[]): Promise<void> =>
        eventually(async () => assert.deepEqual(readiness(await client.get(serviceCidrs, 'more')), [wanted]));
      await client.create(serviceCidrs, {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'ServiceCIDR',
        metadata: { name: 'more' },
        spec: { cidrs: ['10.50.0.0/28'] },
      });
      await is(['Ready', 'True', '']);
      await eventually(async () => void (await client.create(services, service('far', { clusterIP: '10.50.0.5' }))));
      await client.delete(serviceCidrs, 'more');
      await is(['Ready', 'False', 'Terminating']);
      await client.delete(services, 'far', { namespace: 'default' });
      await eventually(() => assert.rejects(client.get(serviceCidrs, 'more'), isNotFound));
      assert.deepEqual(cp.complaints, []);
    } finally {
      await cp.stop();
    }
  });
});
