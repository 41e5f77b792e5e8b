import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { silentLog } from '../../observability/log.ts';
import { ClusterView, hostOf } from './cluster-view.ts';

const node = (name: string, ...ips: string[]): never =>
  ({
    metadata: { name },
    status: { addresses: [{ type: 'Hostname', address: name }, ...ips.map((address) => ({ type: 'InternalIP', address }))] },
  }) as never;
const service = (name: string, ip: string, spec: object = {}): never =>
  ({ metadata: { name, namespace: 'default' }, spec: { clusterIP: ip, ports: [{ port: 80 }], ...spec } }) as never;
const slice = (of: string, ip: string): never =>
  ({
    metadata: { name: `${of}-1`, namespace: 'default', labels: { 'kubernetes.io/service-name': of } },
    addressType: 'IPv4',
    ports: [{ name: '', protocol: 'TCP', port: 8080 }],
    endpoints: [{ addresses: [ip] }],
  }) as never;

describe('ClusterView', () => {
  const objects = {
    services: [service('a', '10.96.0.1'), service('b', '10.96.0.2', { externalIPs: ['10.96.0.1', '192.0.2.9'] })],
    slices: [slice('a', '10.244.0.1')],
    nodes: [node('n1', '192.0.2.1'), node('n2', '192.0.2.2', 'fd00::2')],
    serviceCidrs: [{ metadata: { name: 'k' }, spec: { cidrs: ['10.96.0.0/16'] } }] as never[],
  };
  const look = (nodeName: string): Promise<ClusterView> => ClusterView.look(objects, { nodeName }, hostOf(undefined), silentLog);

  test('has the families and addresses of its node, and the ranges of the cluster', async () => {
    const [first, second] = [await look('n1'), await look('n2')];
    assert.deepEqual([...first.contexts.keys()], ['ip']);
    assert.deepEqual([...second.contexts.keys()], ['ip', 'ip6']);
    assert.deepEqual(first.contexts.get('ip')?.nodeIps, ['192.0.2.1']);
    assert.deepEqual(first.contexts.get('ip')?.serviceCidrs, ['10.96.0.0/16']);
  });

  test('plans each Service with its own slices, and refuses what is reserved', async () => {
    const cluster = await look('n1');
    const context = cluster.contexts.get('ip') ?? assert.fail();
    const { plans, warnings } = cluster.plan(context, []);
    assert.deepEqual(
      plans.get('default/a')?.ports[0]?.cluster.map(({ name }) => name),
      ['10.244.0.1 . 8080'],
    );
    assert.deepEqual(plans.get('default/b')?.ports[0]?.cluster, []);
    assert.deepEqual(
      warnings.map(({ service: key, about }) => [key, about]),
      [['default/b', '10.96.0.1 . tcp . 80']],
    );
  });
});

test('hostOf() has the addresses of a Node and those that are given, each once, and no listeners', async () => {
  const host = hostOf(node('n1', '192.0.2.1', 'fd00::1'), ['192.0.2.1', '192.0.2.7']);
  assert.deepEqual(await host.addresses(), [
    { ip: '192.0.2.1', prefix: 24 },
    { ip: '192.0.2.7', prefix: 24 },
    { ip: 'fd00::1', prefix: 64 },
  ]);
  assert.deepEqual(await host.listeners(), []);
});
