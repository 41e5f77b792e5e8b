import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Service, ServiceSpec } from '../../api/schema/types.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { isStatusError } from '../status/status-error.ts';
import { NumberPool } from './number-pool.ts';
import { type PortRange, ServicePorts } from './service-ports.ts';

const portsOf = (range: PortRange = { from: 30_000, to: 30_010 }): ServicePorts =>
  new ServicePorts(range, new NumberPool({ clock: new FakeClock(), random: () => 0 }));
const nodePorts = ({ ports = [] }: ServiceSpec): (number | undefined)[] => ports.map((port) => port.nodePort);
const spec = (ports: readonly object[], more: object = {}): ServiceSpec => ({ type: 'NodePort', ports, ...more }) as ServiceSpec;

describe('ServicePorts', () => {
  // Upstream's static part: a 32nd of the range, at least 16 and at most 128, of none that is smaller than 32.
  for (const [to, first] of [
    [30_000, 30_000],
    [30_030, 30_000],
    [30_031, 30_016],
    [30_542, 30_016],
    [30_543, 30_017],
    [32_767, 30_086],
    [34_095, 30_128],
    [40_000, 30_128],
  ] as const) {
    test(`gives ${first} first of 30000-${to}`, () => {
      const asked = spec([{ port: 80 }]);
      assert.deepEqual(portsOf({ from: 30_000, to }).allocate(asked, 'a'), []);
      assert.deepEqual(nodePorts(asked), [first]);
    });
  }

  test('gives the ports that are asked for, and any for the others', () => {
    const asked = spec([{ port: 80, nodePort: 30_005 }, { port: 81 }, { port: 82 }]);
    assert.deepEqual(portsOf().allocate(asked, 'a'), []);
    assert.deepEqual(nodePorts(asked), [30_005, 30_000, 30_001]);
  });

  test('gives none to a Service that needs none', () => {
    const ports = portsOf();
    for (const more of [{ type: 'ClusterIP' }, { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false }]) {
      const asked = spec([{ port: 80 }], more);
      assert.deepEqual(ports.allocate(asked, 'a'), []);
      assert.deepEqual(nodePorts(asked), [undefined]);
    }
  });

  test('takes what a load balancer asks for, also where it needs none', () => {
    const ports = portsOf();
    assert.deepEqual(
      ports.allocate(spec([{ port: 80, nodePort: 30_001 }], { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false }), 'a'),
      [],
    );
    assert.equal(ports.allocate(spec([{ port: 80, nodePort: 30_001 }]), 'b').length, 1);
    assert.deepEqual(ports.allocate(spec([{ port: 80, nodePort: 30_002 }], { type: 'ClusterIP' }), 'a'), []);
    assert.deepEqual(ports.allocate(spec([{ port: 80, nodePort: 30_002 }]), 'b'), []);
  });

  test('refuses a port that is taken or outside the range, and gives no other then', () => {
    const ports = portsOf();
    ports.allocate(spec([{ port: 80, nodePort: 30_001 }]), 'other');
    const asked = spec([{ port: 79 }, { port: 80, nodePort: 30_001 }, { port: 81, nodePort: 29_999 }, { port: 82, nodePort: 30_011 }]);
    const outside = 'provided port is not in the valid range. The range of valid ports is 30000-30010';
    assert.deepEqual(
      ports.allocate(asked, 'a').map(({ path, value, detail }) => [path, value, detail]),
      [
        ['spec.ports[1].nodePort', 30_001, 'provided port is already allocated'],
        ['spec.ports[2].nodePort', 29_999, outside],
        ['spec.ports[3].nodePort', 30_011, outside],
      ],
    );
    assert.equal(nodePorts(asked)[0], undefined);
  });

  test('gives TCP and UDP of one port one number, unless it is in use already', () => {
    const dns = spec([
      { port: 53, protocol: 'UDP' },
      { port: 53, protocol: 'TCP' },
      { port: 54, protocol: 'TCP' },
    ]);
    portsOf().allocate(dns, 'a');
    assert.deepEqual(nodePorts(dns), [30_000, 30_000, 30_001]);
    const taken = spec([
      { port: 53, protocol: 'UDP', nodePort: 30_005 },
      { port: 99, protocol: 'TCP', nodePort: 30_005 },
      { port: 53, protocol: 'TCP' },
    ]);
    portsOf().allocate(taken, 'a');
    assert.deepEqual(nodePorts(taken), [30_005, 30_005, 30_000]);
    const same = spec([
      { port: 53, protocol: 'TCP', nodePort: 30_005 },
      { port: 53, protocol: 'TCP' },
    ]);
    portsOf().allocate(same, 'a');
    assert.deepEqual(nodePorts(same), [30_005, 30_000]);
  });

  test('says when the range is full', () => {
    const ports = portsOf({ from: 30_000, to: 30_000 });
    ports.allocate(spec([{ port: 80 }]), 'a');
    assert.throws(
      () => ports.allocate(spec([{ port: 80 }]), 'b'),
      (err) => isStatusError(err, 'InternalError') && /nodePort: range is full/.test(err.message),
    );
  });

  test('gives a health-check port to a load balancer that keeps traffic on its node', () => {
    const ports = portsOf();
    const local = { type: 'LoadBalancer', externalTrafficPolicy: 'Local' };
    const any = spec([], local);
    assert.deepEqual(ports.allocateHealthCheck(any, 'a'), []);
    assert.equal(any.healthCheckNodePort, 30_000);
    assert.deepEqual(ports.allocateHealthCheck(spec([], { ...local, healthCheckNodePort: 30_007 }), 'a'), []);
    const [error] = ports.allocateHealthCheck(spec([], { ...local, healthCheckNodePort: 30_007 }), 'b');
    assert.deepEqual([error?.path, error?.detail], ['spec.healthCheckNodePort', 'provided port is already allocated']);
    const cluster = spec([], { type: 'LoadBalancer', externalTrafficPolicy: 'Cluster' });
    assert.deepEqual(ports.allocateHealthCheck(cluster, 'a'), []);
    assert.equal(cluster.healthCheckNodePort, undefined);
  });

  test('says what a stored Service holds', () => {
    const held = (stored?: ServiceSpec): number[] => portsOf().heldBy({ spec: stored } as Service);
    assert.deepEqual(held(spec([{ port: 80, nodePort: 30_001 }, { port: 81 }], { healthCheckNodePort: 30_002 })), [30_001, 30_002]);
    assert.deepEqual([held({}), held()], [[], []]);
  });
});
