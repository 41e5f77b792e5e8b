/** Services of type LoadBalancer, from a machine beside the nodes. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { eventually } from '../../../src/clock/testing/eventually.ts';
import type { Cluster } from '../testing/cluster.ts';
import { all, boxPod, quickReadiness, service } from '../testing/manifests.ts';
import { httpText, podOf } from '../testing/network.ts';

const space = 'balancers';

export function loadBalancersSuite(cluster: () => Cluster): void {
  describe('load balancers', () => {
    const addressOf = (name: string): Promise<string> =>
      eventually(`an address of "${name}"`, async () => {
        const [ingress] = (await cluster().service(space, name)).status?.loadBalancer?.ingress ?? [];
        assert.ok(ingress?.ip, 'no address yet');
        return ingress.ip;
      });

    before(async () => {
      const c = cluster();
      await c.namespace(space);
      const local = service('local', '80:8080', 'type: LoadBalancer\nexternalTrafficPolicy: Local', 'solo');
      await c.apply(all(boxPod('solo', { container: quickReadiness }), service('solo', '80:8080', 'type: LoadBalancer'), local), space);
      await c.readyPod(space, 'solo');
    });

    test('one answers at its address, out of the range that the lab has for them', async () => {
      const address = await addressOf('solo');
      assert.match(address, /^192\.168\.\d+\.1[012]\d$/);
      assert.equal(podOf(await eventually('it answers', () => httpText(address))), 'solo');
      const told = await eventually('the Event of the node', async () => {
        const found = (await cluster().events(space, 'solo')).find(({ reason }) => reason === 'nodeAssigned');
        assert.ok(found);
        return found.message;
      });
      const announcer = await cluster().lab.neighbourAt(address);
      assert.equal(told, `announcing from node "${announcer}" with protocol "layer2"`);
    });

    test('loadBalancerSourceRanges keep others out', async () => {
      const address = await addressOf('solo');
      const ranges = (loadBalancerSourceRanges: string[]): Promise<unknown> =>
        cluster().merge({
          apiVersion: 'v1',
          kind: 'Service',
          metadata: { name: 'solo', namespace: space },
          spec: { loadBalancerSourceRanges },
        } as object);
      await ranges(['203.0.113.0/24']);
      await eventually('it is closed', () => assert.rejects(httpText(address, 80, '/', 300)));
      await ranges([`${cluster().lab.plan.clientAddress}/32`]);
      await eventually('it is open again', () => httpText(address));
    });

    test('externalTrafficPolicy Local leads to the node of the pod, and keeps the address of the client', async () => {
      const address = await addressOf('local');
      const seen = await eventually('it answers', () => httpText(address, 80, '/cgi-bin/client'));
      assert.ok(seen.includes(cluster().lab.plan.clientAddress), seen);
      assert.equal(await cluster().lab.neighbourAt(address), (await cluster().readyPod(space, 'solo')).spec?.nodeName);
    });

    test('an address that was asked for twice goes to the first, and the second is told', async () => {
      const wish = `type: LoadBalancer\nloadBalancerIP: ${await addressOf('solo')}`;
      await cluster().apply(service('second', '80:8080', wish, 'solo'), space);
      await eventually('the Event', async () =>
        assert.ok(
          (await cluster().events(space, 'second')).some(({ reason, type }) => reason === 'AllocationFailed' && type === 'Warning'),
        ),
      );
    });
  });
}
