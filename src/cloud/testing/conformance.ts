/** What every provider must hold to, so that the controllers may call it again at any time. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Node, Service } from '../../api/schema/types.ts';
import type { ControllerBed } from '../../client/testing/controller-bed.ts';
import type { Provider } from '../provider.ts';
import { balancedService, cloudNode } from './cloud-bed.ts';

export interface ProviderSubject extends AsyncDisposable {
  readonly provider: Provider;
  readonly bed: ControllerBed;
  /** Makes the Service one of the cluster, as it is shown there. */
  show(service: Service): Promise<Service>;
  /** A node that the cloud has. */
  readonly node: Node;
}

export function providerConformance(name: string, open: () => Promise<ProviderSubject>): void {
  describe(`provider ${name}`, () => {
    test('gives a Service the same load balancer as often as it is asked', async () => {
      await using subject = await open();
      const balancers = subject.provider.loadBalancers;
      if (!balancers) return;
      const service = await subject.show(balancedService('web'));
      const first = await balancers.ensure(service, [subject.node]);
      assert.ok(first.status.ingress?.[0]?.ip ?? first.status.ingress?.[0]?.hostname);
      const again = await balancers.ensure(service, [subject.node]);
      assert.deepEqual(again.status, first.status);
      await balancers.updateNodes?.(service, []);
      assert.deepEqual((await balancers.ensure(service, [])).status, first.status);
    });

    test('gives two Services two load balancers', async () => {
      await using subject = await open();
      const balancers = subject.provider.loadBalancers;
      if (!balancers) return;
      const [a, b] = [await subject.show(balancedService('a')), await subject.show(balancedService('b'))];
      const [first, second] = [await balancers.ensure(a, []), await balancers.ensure(b, [])];
      assert.notDeepEqual(first.status, second.status);
    });

    test('says by annotations only what it says it may', async () => {
      await using subject = await open();
      const balancers = subject.provider.loadBalancers;
      if (!balancers) return;
      const { annotations = {} } = await balancers.ensure(await subject.show(balancedService('web')), []);
      for (const key of Object.keys(annotations)) assert.ok(balancers.annotations.includes(key), key);
    });

    test('deletes a load balancer twice, and one that never was', async () => {
      await using subject = await open();
      const balancers = subject.provider.loadBalancers;
      if (!balancers) return;
      const service = await subject.show(balancedService('web'));
      await balancers.ensureDeleted(service);
      await balancers.ensure(service, []);
      await balancers.ensureDeleted(service);
      await balancers.ensureDeleted(service);
    });

    test('knows the machine of a node that is there, by an identity with a scheme', async () => {
      await using subject = await open();
      const { instances } = subject.provider;
      if (!instances) return;
      assert.equal(await instances.exists(subject.node), true);
      assert.equal(await instances.isShutDown(subject.node), false);
      assert.match((await instances.metadata(subject.node)).providerID, /^[a-z]+:\/\/./);
    });

    test('lists a route that was made, and not one that was deleted', async () => {
      await using subject = await open();
      const { routes } = subject.provider;
      if (!routes) return;
      await routes.create('kubernetes', { name: '', node: subject.node.metadata.name, destination: '10.244.3.0/24' });
      const [made] = await routes.list('kubernetes');
      assert.deepEqual([made?.node, made?.destination], [subject.node.metadata.name, '10.244.3.0/24']);
      if (made) await routes.delete('kubernetes', made);
      assert.deepEqual(await routes.list('kubernetes'), []);
    });
  });
}

export const machine: Node = cloudNode('worker-1');
