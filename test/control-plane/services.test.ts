import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { deployments, endpointSlices, endpoints, pods, services } from '../../src/api/resource-types.ts';
import type { Endpoint, EndpointSlice } from '../../src/api/schema/types.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { ControlPlane } from './testing/control-plane.ts';
import { deployment, pauseContainer, service } from './testing/manifests.ts';

const inDefault = { namespace: 'default' };

describe('services', () => {
  let cp: ControlPlane;
  before(async () => {
    cp = await ControlPlane.start();
    await cp.client.create(deployments, deployment('web', 3));
  });
  after(() => cp.stop());

  const slicesOf = async (name: string): Promise<EndpointSlice[]> =>
    (await cp.client.list(endpointSlices, { ...inDefault, labelSelector: `kubernetes.io/service-name=${name}` })).items;
  const endpointsOf = async (name: string): Promise<Endpoint[]> => (await slicesOf(name)).flatMap((s) => s.endpoints ?? []);
  const ready = (all: readonly Endpoint[]): number => all.filter((e) => e.conditions?.ready).length;

  test('a Service gets its pods by the name of their port, as slices and as Endpoints', async () => {
    await cp.client.create(services, service('web'));
    await eventually(async () => assert.equal(ready(await endpointsOf('web')), 3));
    const [slice] = await slicesOf('web');
    assert.deepEqual(slice?.ports, [{ name: '', port: 8080, protocol: 'TCP' }]);
    assert.equal(slice?.metadata.labels?.['endpointslice.kubernetes.io/managed-by'], 'endpointslice-controller.k8s.io');
    await eventually(async () => {
      const written = await cp.client.get(endpoints, 'web', inDefault);
      assert.equal(written.subsets?.[0]?.addresses?.length, 3);
      assert.deepEqual(written.subsets?.[0]?.ports, [{ port: 8080, protocol: 'TCP' }]);
    });
  });

  test('an endpoint follows the readiness of its pod', async () => {
    const [one] = await cp.podsOf('default', 'app=web');
    const not = one?.metadata.name;
    cp.kubelet.isReady = (p) => p.metadata.name !== not;
    cp.kubelet.lookAgain();
    await eventually(async () => {
      assert.equal(ready(await endpointsOf('web')), 2);
      assert.equal((await cp.client.get(endpoints, 'web', inDefault)).subsets?.[0]?.notReadyAddresses?.length, 1);
    });
    await cp.client.create(services, service('eager', { selector: { app: 'web' }, publishNotReadyAddresses: true }));
    await eventually(async () => {
      const all = await endpointsOf('eager');
      assert.equal(ready(all), 3);
      assert.equal(all.filter((e) => !e.conditions?.serving).length, 1);
    });
    cp.kubelet.isReady = () => true;
    cp.kubelet.lookAgain();
    await eventually(async () => assert.equal(ready(await endpointsOf('web')), 3));
  });

  test('a pod on its way out serves no longer but is shown as terminating', async () => {
    cp.kubelet.holds = true;
    const [one] = await cp.podsOf('default', 'app=web');
    await cp.client.delete(pods, one?.metadata.name ?? '', inDefault);
    await eventually(async () => {
      const leaving = (await endpointsOf('web')).find((e) => e.targetRef?.uid === one?.metadata.uid);
      assert.deepEqual(leaving?.conditions, { ready: false, serving: true, terminating: true });
    });
    cp.kubelet.holds = false;
    cp.kubelet.lookAgain();
    await eventually(async () => assert.equal((await endpointsOf('web')).length, 3));
  });

  test('a headless Service names its pods, with or without ports', async () => {
    await cp.client.create(services, service('peers', { clusterIP: 'None', ports: [], selector: { app: 'peer' } }));
    await cp.client.create(pods, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'peer-0', namespace: 'default', labels: { app: 'peer' } },
      spec: { hostname: 'peer-0', subdomain: 'peers', containers: [pauseContainer] },
    });
    await eventually(async () => {
      const [slice] = await slicesOf('peers');
      assert.equal(slice?.endpoints?.[0]?.hostname, 'peer-0');
      assert.equal(slice?.metadata.labels?.['service.kubernetes.io/headless'], '');
    });
  });

  test('many pods fill slices of a hundred, and a change touches one of them', async () => {
    for (let i = 4; i <= 6; i++) await cp.addNode(`n${i}`, { cpu: '100' });
    await cp.client.create(services, service('many'));
    await cp.client.create(deployments, deployment('many', 250));
    await eventually(async () => assert.equal(ready(await endpointsOf('many')), 250));
    const before = new Map((await slicesOf('many')).map((s) => [s.metadata.name, s.metadata.resourceVersion]));
    assert.ok(before.size <= 4, `${before.size} slices`);
    const [one] = await cp.podsOf('default', 'app=many');
    cp.kubelet.isReady = (p) => p.metadata.name !== one?.metadata.name;
    cp.kubelet.lookAgain();
    await eventually(async () => assert.equal(ready(await endpointsOf('many')), 249));
    const changed = (await slicesOf('many')).filter((s) => before.get(s.metadata.name) !== s.metadata.resourceVersion);
    assert.equal(changed.length, 1);
  });

  test('the slices and Endpoints of a Service go with it', async () => {
    await cp.client.delete(services, 'web', inDefault);
    await eventually(async () => {
      assert.equal((await slicesOf('web')).length, 0);
      await assert.rejects(cp.client.get(endpoints, 'web', inDefault));
    });
  });

  test('hand-written Endpoints of a Service without selector are mirrored', async () => {
    await cp.client.create(services, { ...service('outside'), spec: { ports: [{ name: 'db', port: 5432, protocol: 'TCP' }] } });
    await cp.client.create(endpoints, {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: { name: 'outside', namespace: 'default', labels: { tier: 'db' } },
      subsets: [{ addresses: [{ ip: '192.0.2.10' }, { ip: '2001:db8::1' }], ports: [{ name: 'db', port: 5432, protocol: 'TCP' }] }],
    });
    await eventually(async () => {
      const slices = await slicesOf('outside');
      assert.deepEqual(slices.map((s) => s.addressType).toSorted(), ['IPv4', 'IPv6']);
      assert.equal(slices[0]?.metadata.labels?.tier, 'db');
      assert.equal(slices[0]?.metadata.labels?.['endpointslice.kubernetes.io/managed-by'], 'endpointslicemirroring-controller.k8s.io');
      assert.equal(slices[0]?.metadata.ownerReferences?.[0]?.kind, 'Endpoints');
    });
    await cp.client.patch(
      endpoints,
      'outside',
      { subsets: [{ addresses: [{ ip: '192.0.2.11' }], ports: [{ name: 'db', port: 5432 }] }] },
      inDefault,
    );
    await eventually(async () =>
      assert.deepEqual(
        (await endpointsOf('outside')).map((e) => e.addresses[0]),
        ['192.0.2.11'],
      ),
    );
    await cp.client.delete(endpoints, 'outside', inDefault);
    await eventually(async () => assert.equal((await slicesOf('outside')).length, 0));
  });

  test('slices that somebody else keeps for a Service without selector are left alone', async () => {
    await cp.client.create(services, { ...service('own'), spec: { ports: [{ port: 80 }] } });
    await cp.client.create(endpointSlices, {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'own-1', namespace: 'default', labels: { 'kubernetes.io/service-name': 'own' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['192.0.2.20'] }],
    });
    await cp.client.patch(services, 'own', { metadata: { labels: { touched: 'yes' } } }, inDefault);
    await cp.client.create(services, service('after', { selector: { app: 'many' } }));
    await eventually(async () => assert.ok((await slicesOf('after')).length > 0));
    assert.equal((await slicesOf('own')).length, 1);
  });

  test('complained of nothing', () => assert.deepEqual(cp.complaints, []));
});
