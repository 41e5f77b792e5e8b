import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endpointSlices, namespaces, services } from '../../api/resource-types.ts';
import type { EndpointSlice, Service } from '../../api/schema/types.ts';
import { FakeCluster, turn } from '../../client/testing/fake-cluster.ts';
import { RCODE, TYPE } from '../message/names.ts';
import { ClusterZone } from './cluster-zone.ts';
import { feedZone } from './feed.ts';

const trigger = 'endpoints.kubernetes.io/last-change-trigger-time';

function service(name: string, spec: Service['spec']): Service {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'default' }, spec };
}

function slice(of: string, ip: string, changedAt?: string): EndpointSlice {
  const annotations = changedAt === undefined ? {} : { annotations: { [trigger]: changedAt } };
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'one', namespace: 'default', labels: { 'kubernetes.io/service-name': of }, ...annotations },
    addressType: 'IPv4',
    ports: [],
    endpoints: [{ addresses: [ip] }],
  };
}

class World {
  readonly cluster = new FakeCluster();
  readonly zone = new ClusterZone('cluster.local', { ttl: 5, serial: 1 });
  readonly programmed: string[] = [];

  feed(): Promise<void> {
    return feedZone(this.zone, this.cluster, (kind, seconds) => this.programmed.push(`${kind} ${seconds}`));
  }

  async deliver(): Promise<void> {
    await this.cluster.deliver();
    await turn();
  }

  /** How many addresses a name has; undefined when it is denied. */
  count(name: string): number | undefined {
    const answer = this.zone.answer(`${name}.cluster.local`, TYPE.A);
    assert.ok(answer.kind === 'reply');
    return answer.reply.rcode === RCODE.NXDOMAIN ? undefined : answer.reply.answers.length;
  }
}

const headless = { clusterIP: 'None' };

test('feedZone() renders what is there, then each change of a Service, a slice or a namespace', async () => {
  const world = new World();
  await using cluster = world.cluster;
  cluster.put(services, service('web', { clusterIP: '10.96.0.7', clusterIPs: ['10.96.0.7'] }));
  cluster.put(services, service('db', headless));
  cluster.put(endpointSlices, slice('db', '10.244.0.1'));
  await world.feed();
  assert.deepEqual([world.count('web.default.svc'), world.count('db.default.svc'), world.count('other.svc')], [1, 1, undefined]);
  await world.deliver();

  cluster.put(services, service('late', { clusterIP: '10.96.0.8', clusterIPs: ['10.96.0.8', '10.96.0.9'] }));
  cluster.put(services, service('web', { clusterIP: '10.96.0.7', clusterIPs: ['10.96.0.7', '10.96.0.10'] }));
  cluster.put(endpointSlices, { ...slice('db', '10.244.0.2'), endpoints: [{ addresses: ['10.244.0.1'] }, { addresses: ['10.244.0.2'] }] });
  cluster.put(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'other' } });
  await world.deliver();
  assert.deepEqual(
    [world.count('late.default.svc'), world.count('web.default.svc'), world.count('db.default.svc'), world.count('other.svc')],
    [2, 2, 2, 0],
  );

  cluster.put(endpointSlices, { ...slice('db', '10.244.0.3'), metadata: { ...slice('db', '').metadata, name: 'two' } });
  await world.deliver();
  assert.equal(world.count('db.default.svc'), 3);
  cluster.client.forget(endpointSlices, 'default/two');
  await world.deliver();
  assert.equal(world.count('db.default.svc'), 2);

  cluster.client.forget(services, 'default/web');
  cluster.client.forget(endpointSlices, 'default/one');
  cluster.client.forget(namespaces, 'other');
  await world.deliver();
  assert.deepEqual(
    [world.count('web.default.svc'), world.count('10-244-0-1.db.default.svc'), world.count('other.svc')],
    [undefined, undefined, undefined],
  );
});

test('a slice that comes to another Service is taken from the one before', async () => {
  const world = new World();
  await using cluster = world.cluster;
  for (const name of ['a', 'b']) cluster.put(services, service(name, headless));
  cluster.put(endpointSlices, slice('a', '10.244.0.1'));
  await world.feed();
  await world.deliver();
  cluster.put(endpointSlices, slice('b', '10.244.0.1'));
  await world.deliver();
  assert.deepEqual([world.count('10-244-0-1.a.default.svc'), world.count('10-244-0-1.b.default.svc')], [undefined, 1]);
});

test('the way from a change of a pod to its name is measured, by kind of Service, but not that of the first list', async () => {
  const world = new World();
  await using cluster = world.cluster;
  cluster.put(services, service('web', { clusterIP: '10.96.0.7' }));
  cluster.put(services, service('picked', { ...headless, selector: { app: 'x' } }));
  cluster.put(services, service('made', headless));
  cluster.put(endpointSlices, slice('web', '10.244.0.1', '2025-12-31T23:00:00Z'));
  await world.feed();
  await world.deliver();
  assert.deepEqual(world.programmed, []);
  // The clock of tests stands at 2026-01-01T00:00:00Z.
  for (const [of, at] of [
    ['web', '2025-12-31T23:59:58.500Z'],
    ['picked', '2025-12-31T23:59:59Z'],
    ['made', '2026-01-01T00:00:03Z'],
    ['web', 'yesterday'],
    ['web', undefined],
  ] as const) {
    cluster.put(endpointSlices, slice(of, '10.244.0.2', at));
    await world.deliver();
  }
  assert.deepEqual(world.programmed, ['cluster_ip 1.5', 'headless_with_selector 1', 'headless_without_selector 0']);
});
