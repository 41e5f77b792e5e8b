import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nodes, services } from '../../api/resource-types.ts';
import type { Service } from '../../api/schema/types.ts';
import { ProviderRefusal } from '../provider.ts';
import { balancedService, CloudBed, cloudNode } from '../testing/cloud-bed.ts';
import { ServiceController } from './controller.ts';

const finalizer = 'service.kubernetes.io/load-balancer-cleanup';

async function open(...present: Service[]) {
  const bed = new CloudBed();
  for (const service of present) bed.put(services, service);
  bed.put(nodes, cloudNode('a'));
  const { loadBalancers: balancers } = bed.provider;
  const controller = new ServiceController(bed.context, balancers);
  const news = bed.listen(controller);
  const keys = await news.deliver();
  const found = (): Service | undefined => bed.client.find(services, 'default/web');
  return { bed, balancers, controller, news, keys, found, pass: () => bed.pass(controller, 'default/web') };
}

describe('the service controller', () => {
  test('makes a load balancer: finalizer, then the provider, then addresses and annotations in the status', async () => {
    const { bed, balancers, keys, found, pass } = await open(balancedService('web'));
    await using _ = bed;
    assert.deepEqual(keys, ['default/web']);
    assert.deepEqual(await pass(), {
      writes: ['patch services/status default/web', 'patch services/status default/web'],
      events: ['Normal EnsuringLoadBalancer Ensuring load balancer', 'Normal EnsuredLoadBalancer Ensured load balancer'],
    });
    assert.deepEqual(balancers.calls, ['ensure default/web a']);
    assert.deepEqual(found()?.metadata.finalizers, [finalizer]);
    assert.deepEqual(found()?.metadata.annotations, { 'fake/id': 'lb-1' });
    assert.deepEqual(found()?.status?.loadBalancer, { ingress: [{ ip: '203.0.113.1', ipMode: 'VIP' }] });
    await bed.deliver();
    assert.deepEqual(await pass(), { writes: [], events: [] }, 'nothing more to do');
  });

  test('after a restart it writes nothing and tells nothing, when all is as it was', async () => {
    const { bed, pass } = await open(balancedService('web'));
    await using _ = bed;
    await pass();
    await bed.deliver();
    const next = new ServiceController(bed.context, bed.provider.loadBalancers);
    await bed.listen(next).deliver();
    assert.deepEqual(await bed.pass(next, 'default/web'), { writes: [], events: [] });
  });

  for (const [name, service] of [
    ['of another class', balancedService('web', { loadBalancerClass: 'example.com/other' })],
    ['of another type', balancedService('web', { type: 'NodePort' })],
    ['that is being deleted and has nothing of ours', balancedService('web', {}, { deletionTimestamp: '2026-01-01T00:00:00Z' })],
  ] as const)
    test(`leaves a Service ${name} alone`, async () => {
      const { bed, keys, balancers, pass } = await open(service);
      await using _ = bed;
      assert.deepEqual(keys, []);
      assert.deepEqual(await pass(), { writes: [], events: [] });
      assert.deepEqual(balancers.calls, []);
    });

  test('under --load-balancer-class only the Services of that class are ours', async () => {
    const { bed, pass, balancers } = await open(
      balancedService('web'),
      balancedService('classy', { loadBalancerClass: 'example.com/own' }),
    );
    await using _ = bed;
    const own = new ServiceController({ ...bed.context, loadBalancerClass: 'example.com/own' }, balancers);
    assert.deepEqual(await bed.listen(own).deliver(), ['default/classy']);
    await bed.pass(own, 'default/classy');
    await bed.pass(own, 'default/web');
    assert.deepEqual(balancers.calls, ['ensure default/classy a']);
    await pass();
  });

  test('a provider without anything to give leaves Services to others, and serves them when it has', async () => {
    const { bed, balancers, news, pass } = await open(balancedService('web'));
    await using _ = bed;
    balancers.isConfigured = false;
    assert.deepEqual(await pass(), { writes: [], events: [] });
    balancers.isConfigured = true;
    balancers.change();
    assert.deepEqual(await news.deliver(), ['default/web']);
    assert.equal((await pass()).writes.length, 2);
  });

  test('takes the load balancer away when the Service is deleted, and lets the Service go with the same write', async () => {
    const { bed, balancers, news, found, pass } = await open(balancedService('web'));
    await using _ = bed;
    await pass();
    await news.deliver();
    await bed.client.delete(services, 'web', { namespace: 'default' });
    bed.client.took();
    assert.deepEqual(await news.deliver(), ['default/web']);
    assert.deepEqual(await pass(), {
      writes: ['patch services/status default/web'],
      events: ['Normal DeletingLoadBalancer Deleting load balancer', 'Normal DeletedLoadBalancer Deleted load balancer'],
    });
    assert.equal(balancers.calls.at(-1), 'delete default/web');
    assert.deepEqual(found()?.metadata.finalizers, []);
  });

  test('takes it away when the type changes, with its addresses, annotations and finalizer, and keeps the finalizers of others', async () => {
    const { bed, balancers, news, found, pass } = await open(balancedService('web', {}, { finalizers: ['example.com/other'] }));
    await using _ = bed;
    await pass();
    const service = found();
    assert.ok(service);
    bed.put(services, { ...service, spec: { ...service.spec, type: 'ClusterIP' } });
    assert.deepEqual(await news.deliver(), ['default/web']);
    const { events } = await pass();
    assert.deepEqual(events, [
      'Normal Type LoadBalancer -> ClusterIP',
      'Normal DeletingLoadBalancer Deleting load balancer',
      'Normal DeletedLoadBalancer Deleted load balancer',
    ]);
    assert.equal(balancers.calls.at(-1), 'delete default/web');
    assert.deepEqual(found()?.metadata.finalizers, ['example.com/other']);
    assert.deepEqual(found()?.metadata.annotations, {});
    assert.deepEqual(found()?.status?.loadBalancer, {});
  });

  test('tells what is refused by an event, shows no address, and waits for the provider to say when', async () => {
    const { bed, balancers, news, found, pass } = await open(balancedService('web'));
    await using _ = bed;
    await pass();
    await bed.deliver();
    balancers.fail(new ProviderRefusal('AllocationFailed', 'no available IPs'));
    balancers.change('default/web');
    const refused = await pass();
    assert.deepEqual(
      [refused.events, refused.error, refused.requeueAfter],
      [['Warning AllocationFailed no available IPs'], undefined, undefined],
    );
    assert.deepEqual(found()?.status?.loadBalancer, {});
    assert.deepEqual(found()?.metadata.annotations, {});
    await news.deliver();
    balancers.change('default/web');
    assert.deepEqual(await news.deliver(), ['default/web']);
    await pass();
    assert.equal(found()?.status?.loadBalancer?.ingress?.[0]?.ip, '203.0.113.1');
  });

  test('tells what failed and comes back; the address stays meanwhile', async () => {
    const { bed, balancers, found, pass } = await open(balancedService('web'));
    await using _ = bed;
    await pass();
    await bed.deliver();
    balancers.change('default/web');
    balancers.fail(new Error('the cloud is away'));
    assert.deepEqual(await pass(), {
      writes: [],
      events: ['Warning SyncLoadBalancerFailed Error syncing load balancer: failed to ensure load balancer: the cloud is away'],
      error: 'the cloud is away',
    });
    assert.equal(found()?.status?.loadBalancer?.ingress?.[0]?.ip, '203.0.113.1');
  });

  test('what cannot be deleted is told, and the Service stays until it can', async () => {
    const { bed, balancers, news, found, pass } = await open(balancedService('web'));
    await using _ = bed;
    await pass();
    await news.deliver();
    await bed.client.delete(services, 'web', { namespace: 'default' });
    await news.deliver();
    bed.client.took();
    balancers.fail(new Error('the cloud is away'));
    assert.deepEqual(await pass(), {
      writes: [],
      events: [
        'Normal DeletingLoadBalancer Deleting load balancer',
        'Warning SyncLoadBalancerFailed Error syncing load balancer: failed to delete load balancer: the cloud is away',
      ],
      error: 'the cloud is away',
    });
    assert.deepEqual(found()?.metadata.finalizers, [finalizer]);
  });

  test("tells what changes of a Service, in upstream's words", async () => {
    const { bed, news, found, pass } = await open(balancedService('web', { loadBalancerSourceRanges: ['10.0.0.0/8'] }));
    await using _ = bed;
    await pass();
    await news.deliver();
    const service = found();
    assert.ok(service);
    const loadBalancerSourceRanges = ['10.0.0.0/8', '192.0.2.0/24'];
    const changed = { externalTrafficPolicy: 'Local', healthCheckNodePort: 30100, loadBalancerIP: '192.0.2.1', loadBalancerSourceRanges };
    bed.put(services, { ...service, spec: { ...service.spec, ...changed } });
    await news.deliver();
    assert.deepEqual((await pass()).events.slice(0, 4), [
      'Normal LoadBalancerSourceRanges [10.0.0.0/8] -> [10.0.0.0/8 192.0.2.0/24]',
      'Normal LoadbalancerIP  -> 192.0.2.1',
      'Normal ExternalTrafficPolicy  -> Local',
      'Normal HealthCheckNodePort  -> 30100',
    ]);
  });

  test('puts back addresses that somebody took out of the status', async () => {
    const { bed, news, found, pass } = await open(balancedService('web'));
    await using _ = bed;
    await pass();
    await news.deliver();
    const service = found();
    assert.ok(service);
    bed.put(services, { ...service, status: { loadBalancer: {} } });
    assert.deepEqual(await news.deliver(), ['default/web']);
    await pass();
    assert.equal(found()?.status?.loadBalancer?.ingress?.[0]?.ip, '203.0.113.1');
  });

  test('tells the provider which nodes there are: not one that is excluded or about to go, but one that is not ready', async () => {
    const { bed, balancers, news, pass } = await open(balancedService('web'));
    await using _ = bed;
    await pass();
    await news.deliver();
    bed.put(
      nodes,
      cloudNode('excluded', { metadata: { name: 'excluded', labels: { 'node.kubernetes.io/exclude-from-external-load-balancers': '' } } }),
    );
    bed.put(nodes, cloudNode('going', { spec: { taints: [{ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' }] } }));
    assert.deepEqual(await news.deliver(), []);
    bed.put(nodes, cloudNode('unready', { status: { conditions: [{ type: 'Ready', status: 'False' }] } }));
    assert.deepEqual(await news.deliver(), ['default/web']);
    const { events } = await pass();
    assert.deepEqual(events, ['Normal UpdatedLoadBalancer Updated load balancer with new hosts']);
    assert.deepEqual(balancers.calls.slice(1), ['update default/web a unready', 'ensure default/web a unready']);
  });

  test('warns of a load balancer that leads nowhere', async () => {
    const { bed, news, pass } = await open(balancedService('web'));
    await using _ = bed;
    bed.client.forget(nodes, 'a');
    await news.deliver();
    const { events } = await pass();
    assert.ok(events.includes('Warning UnAvailableLoadBalancer There are no available nodes for LoadBalancer'), events.join('\n'));
  });
});
