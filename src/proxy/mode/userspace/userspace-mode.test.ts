import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../../clock/testing/fake-clock.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import type { Frontend, PortPlan, ServicePlan } from '../../plan/service-plan.ts';
import type { Route } from '../../relay/relay.ts';
import { sampleNode } from '../../testing/sample-node.ts';
import { modeConformance } from '../testing/conformance.ts';
import { isInside, listFor, relayed } from './frontends.ts';
import { FakeRelayHost } from './testing/fake-relay-host.ts';
import { UserspaceMode } from './userspace-mode.ts';

modeConformance('userspace over a node in memory', async () => {
  const host = new FakeRelayHost();
  return {
    mode: () => new UserspaceMode(host),
    rules: async () => host.dump(),
    damage: async () => void host.addresses.delete('10.96.0.1'),
    async [Symbol.asyncDispose]() {},
  };
});

const node: NodeContext = {
  ...sampleNode,
  countsConnections: true,
  nodePortIps: ['192.0.2.1', '192.0.2.2'],
  serviceCidrs: [],
  nodeIps: ['192.0.2.1'],
};

function plan(frontends: readonly Partial<Frontend>[], more: Partial<PortPlan> = {}): ServicePlan {
  const usual = { kind: 'cluster-ip', port: 80, inside: 'cluster', outside: 'cluster', masquerade: 'always' } as const;
  const endpoint = { name: '10.244.1.2 . 8080', ip: '10.244.1.2', port: 8080, mayBeHere: true };
  const port: PortPlan = {
    name: 'http',
    protocol: 'tcp',
    frontends: frontends.map((frontend) => ({ ...usual, ...frontend })),
    cluster: [endpoint],
    local: [],
    serving: new Set(),
    ...more,
  };
  return { key: 'n/web', rank: '', ports: [port] };
}

describe('relayed()', () => {
  test('listens at each address, and at each of the node for a node port', () => {
    const { frontends, addresses } = relayed(plan([{ ip: '10.96.0.1' }, { kind: 'node-port', port: 30080 }]), node);
    assert.deepEqual([...frontends.keys()], ['10.96.0.1 . tcp . 80', '192.0.2.1 . tcp . 30080', '192.0.2.2 . tcp . 30080']);
    assert.deepEqual([...addresses], ['10.96.0.1']);
  });

  test('listens everywhere for a node port that all addresses serve', () => {
    const everywhere = (family: NodeContext['family']): string[] => [
      ...relayed(plan([{ kind: 'node-port' }]), { ...node, family, nodePortIps: 'all' }).frontends.keys(),
    ];
    assert.deepEqual([...everywhere('ip'), ...everywhere('ip6')], ['0.0.0.0 . tcp . 80', ':: . tcp . 80']);
  });

  test('does not take an address of the node for one of a Service', () => {
    const { frontends, addresses } = relayed(plan([{ kind: 'external-ip', ip: '192.0.2.1' }]), node);
    assert.deepEqual([[...frontends.keys()], [...addresses]], [['192.0.2.1 . tcp . 80'], []]);
  });

  test('leaves refusing to the kernel: an address at which nobody listens', () => {
    const frontends = [
      { ip: '10.96.0.1', inside: 'refuse', outside: 'drop' },
      { ip: '10.96.0.2', outside: 'drop' },
      { ip: '10.96.0.3', inside: 'drop' },
    ] as const;
    const { frontends: served, refusing, addresses } = relayed(plan(frontends), node);
    assert.deepEqual(
      [[...served.keys()], [...refusing.keys()]],
      [['10.96.0.2 . tcp . 80', '10.96.0.3 . tcp . 80'], ['10.96.0.1 . tcp . 80']],
    );
    assert.deepEqual([...addresses], ['10.96.0.1', '10.96.0.2', '10.96.0.3']);
  });

  test('names what no process can relay', () => {
    const { frontends, unserved } = relayed(plan([{ ip: '10.96.0.1' }], { protocol: 'sctp' }), node);
    assert.deepEqual([frontends.size, unserved], [0, ['n/web:http']]);
  });
});

describe('listFor()', () => {
  const at = (frontend: Partial<Frontend>, client: string): string | undefined => {
    const [only] = relayed(plan([{ ip: '10.96.0.1', ...frontend }]), node).frontends.values();
    assert.ok(only);
    return listFor(only, node, client);
  };
  const split = { inside: 'cluster', outside: 'local' } as const;
  const cases: [name: string, frontend: Partial<Frontend>, client: string, list: string | undefined][] = [
    ['a pod', split, '10.244.9.9', 'cluster'],
    ['the node', split, '192.0.2.1', 'cluster'],
    ['the node, by its loopback address', split, '127.0.0.1', 'cluster'],
    ['the node, by the address that it asks', split, '10.96.0.1', 'cluster'],
    ['somebody else', split, '198.51.100.9', 'local'],
    ['somebody outside, where only insiders are served', { inside: 'cluster', outside: 'drop' }, '198.51.100.9', undefined],
    ['one of the sources', { sources: ['198.51.100.0/24'] }, '198.51.100.9', 'cluster'],
    ['none of the sources', { sources: ['198.51.100.0/25'] }, '198.51.100.200', undefined],
    ['the node, which asks its own address, whatever the sources', { sources: ['198.51.100.0/25'] }, '10.96.0.1', 'cluster'],
  ];
  for (const [name, frontend, client, list] of cases) test(`gives ${name} ${list}`, () => assert.equal(at(frontend, client), list));

  test('tells a pod by its address alone', () => {
    assert.equal(isInside('10.244.9.9', { ...node, local: { mode: 'BridgeInterface', interface: 'cni0' } }), false);
    assert.equal(isInside('::1', node), true);
  });
});

describe('UserspaceMode', () => {
  test('serves the others when one address is taken, and tries it again', async () => {
    const host = new FakeRelayHost();
    host.taken.add('10.96.0.1 . tcp . 80');
    const told: string[] = [];
    const log = { info() {}, warn() {}, debug() {}, error: (text: string) => void told.push(text), child: () => log };
    const mode = new UserspaceMode(host, { log });
    const rules = await mode.open(node);
    rules.put('n/web', plan([{ ip: '10.96.0.1' }, { ip: '10.96.0.2' }]));
    await rules.sync();
    await mode.verify();
    await rules.sync();
    assert.deepEqual(
      [[...host.listeners.keys()], told],
      [['10.96.0.2 . tcp . 80'], ['Cannot relay 10.96.0.1 port 80/tcp: another program listens there']],
    );
    host.taken.clear();
    await mode.verify();
    await rules.sync();
    assert.deepEqual([...host.listeners.keys()].sort(), ['10.96.0.1 . tcp . 80', '10.96.0.2 . tcp . 80']);
  });

  test('keeps what it knows of clients when endpoints change', async () => {
    const host = new FakeRelayHost();
    const rules = await new UserspaceMode(host).open(node);
    const sticky = { affinitySeconds: 60 };
    const endpoints = [2, 3, 4, 5].map((n) => ({ name: `10.244.1.${n} . 80`, ip: `10.244.1.${n}`, port: 80, mayBeHere: true }));
    rules.put('n/web', plan([{ ip: '10.96.0.1' }], { ...sticky, cluster: endpoints.slice(0, 1) }));
    await rules.sync();
    const ask = (): string | undefined => host.listeners.get('10.96.0.1 . tcp . 80')?.balancer.choose('cluster', '10.244.9.9')?.ip;
    assert.equal(ask(), '10.244.1.2');
    rules.put('n/web', plan([{ ip: '10.96.0.1' }], { ...sticky, cluster: endpoints }));
    await rules.sync();
    for (let i = 0; i < 20; i++) assert.equal(ask(), '10.244.1.2');
  });

  test('tells of addresses that somebody took away, and not of its own changes', async () => {
    const host = new FakeRelayHost();
    const mode = new UserspaceMode(host);
    const rules = await mode.open(node);
    let touched = 0;
    using _ = Object.assign(
      mode.watch(() => touched++),
      { [Symbol.dispose]() {} },
    );
    rules.put('n/web', plan([{ ip: '10.96.0.1' }]));
    await rules.sync();
    await new Promise(setImmediate);
    assert.equal(touched, 0);
    await host.change([], ['10.96.0.1']);
    await new Promise(setImmediate);
    assert.equal(touched, 1);
    assert.equal((await rules.sync()).steps, 1);
  });

  test('reads all addresses once more, and not once for each, when thousands come', async () => {
    const host = new FakeRelayHost();
    const mode = new UserspaceMode(host);
    const rules = await mode.open(node);
    rules.put('n/web', plan([{ ip: '10.96.0.1' }]));
    await rules.sync();
    let touched = 0;
    mode.watch(() => touched++);
    let reads = 0;
    const held = host.held.bind(host);
    host.held = (family) => {
      reads++;
      return held(family);
    };
    for (let i = 0; i < 1000; i++) void host.change([`192.0.2.${i}`], []);
    await new Promise(setImmediate);
    assert.equal(reads, 2);
    assert.ok(touched > 0, 'somebody else gave them');
  });
});

describe('RelayRules', () => {
  test('has what its relays counted, also when endpoints change, until the port goes', async () => {
    const host = new FakeRelayHost();
    const routes: Route[] = [];
    const listen = host.listen.bind(host);
    host.listen = async (protocol, address, route) => {
      routes.push(route);
      return await listen(protocol, address, route);
    };
    const rules = await new UserspaceMode(host).open(node);
    rules.put('n/web', plan([{ ip: '10.96.0.1' }, { kind: 'node-port', port: 30080 }]));
    await rules.sync();
    for (const { balancer } of routes) {
      balancer.opened('10.244.1.2 . 8080');
      balancer.count.of('10.244.1.2 . 8080').datagram('received', 10);
      balancer.count.of('10.244.1.2 . 8080').datagram('sent', 1);
    }
    routes[0]?.balancer.count.refuse();
    const before = await rules.counts?.();
    assert.deepEqual(before?.[0]?.endpoints, [{ endpoint: '10.244.1.2:8080', connections: 3, received: 30, sent: 3 }]);
    for (const { balancer } of routes) balancer.closed('10.244.1.2 . 8080');
    rules.put('n/web', plan([{ ip: '10.96.0.1' }], { cluster: [{ name: 'x . 1', ip: '10.244.1.3', port: 1, mayBeHere: true }] }));
    await rules.sync();
    const name = { service: 'n/web', port: 'http', protocol: 'tcp' };
    assert.deepEqual(await rules.counts?.(), [{ ...name, connections: 3, received: 30, sent: 3, refused: 1, endpoints: [] }]);
    rules.put('n/web', undefined);
    await rules.sync();
    assert.deepEqual(await rules.counts?.(), []);
  });
});

describe('RelayRules, of a Service that nobody serves', () => {
  const nobody = { cluster: [] };
  const refusing = { inside: 'refuse', outside: 'refuse' } as const;
  const name = { service: 'n/web', port: 'http', protocol: 'tcp', connections: 0, received: 0, sent: 0, endpoints: [] };

  test('count what comes and is refused, on top of what was counted before, until the port goes', async () => {
    const host = new FakeRelayHost();
    const clock = new FakeClock();
    const rules = await new UserspaceMode(host, { clock }).open(node);
    rules.put('n/web', plan([{ ip: '10.96.0.1' }]));
    await rules.sync();
    host.listeners.get('10.96.0.1 . tcp . 80')?.balancer.count.refuse();
    assert.deepEqual([...host.arrived], []);
    rules.put(
      'n/web',
      plan(
        [
          { ip: '10.96.0.1', ...refusing },
          { kind: 'node-port', port: 30080, ...refusing },
        ],
        nobody,
      ),
    );
    await rules.sync();
    assert.deepEqual([...host.arrived.keys()], ['10.96.0.1 . tcp . 80', '192.0.2.1 . tcp . 30080', '192.0.2.2 . tcp . 30080']);
    host.arrived.set('10.96.0.1 . tcp . 80', 2).set('192.0.2.2 . tcp . 30080', 3);
    assert.deepEqual(await rules.counts?.(), [{ ...name, refused: 6 }]);
    // The kernel has room for a second's.
    host.arrived.set('10.96.0.1 . tcp . 80', 4);
    await clock.advance(1000);
    assert.equal(host.arrived.get('10.96.0.1 . tcp . 80'), 0);
    host.arrived.set('10.96.0.1 . tcp . 80', 5);
    rules.put('n/web', plan([{ ip: '10.96.0.1' }]));
    await rules.sync();
    assert.deepEqual([...host.arrived], [], 'a relay counts by itself');
    assert.deepEqual(await rules.counts?.(), [{ ...name, refused: 15 }]);
    assert.equal(clock.pending, 1);
    await clock.advance(1000);
    assert.equal(clock.pending, 0);
    rules.put('n/web', undefined);
    await rules.sync();
    assert.deepEqual(await rules.counts?.(), []);
  });

  test('count for the port that has the frontend now', async () => {
    const host = new FakeRelayHost();
    const rules = await new UserspaceMode(host).open(node);
    rules.put('n/web', plan([{ ip: '10.96.0.1', ...refusing }], nobody));
    await rules.sync();
    rules.put('n/web', plan([{ ip: '10.96.0.1', ...refusing }], { ...nobody, name: 'other' }));
    await rules.sync();
    host.arrived.set('10.96.0.1 . tcp . 80', 2);
    assert.deepEqual(await rules.counts?.(), [{ ...name, port: 'other', refused: 2 }]);
  });

  test('count nothing when nobody asked for it, or once they are over', async () => {
    for (const end of ['close', 'retire'] as const) {
      const host = new FakeRelayHost();
      const clock = new FakeClock();
      const mode = new UserspaceMode(host, { clock });
      const rules = await mode.open(node);
      rules.put('n/web', plan([{ ip: '10.96.0.1', ...refusing }], nobody));
      await rules.sync();
      assert.equal(host.arrived.size, 1);
      mode[end]();
      assert.deepEqual([host.arrived.size, clock.pending], [0, 0], end);
    }
    const { countsConnections: _, ...uncounted } = node;
    const host = new FakeRelayHost();
    const rules = await new UserspaceMode(host).open(uncounted);
    rules.put('n/web', plan([{ ip: '10.96.0.1', ...refusing }], nobody));
    await rules.sync();
    assert.equal(host.arrived.size, 0);
  });

  test('say once that they cannot, and go on', async () => {
    const host = new FakeRelayHost();
    for (const ip of ['10.96.0.1', '10.96.0.2']) host.uncountable.add(`${ip} . tcp . 80`);
    const told: string[] = [];
    const log = { info() {}, debug() {}, error() {}, warn: (text: string) => void told.push(text), child: () => log };
    const rules = await new UserspaceMode(host, { log }).open(node);
    rules.put(
      'n/web',
      plan(
        ['10.96.0.1', '10.96.0.2', '10.96.0.3'].map((ip) => ({ ip, ...refusing })),
        nobody,
      ),
    );
    await rules.sync();
    assert.deepEqual(
      [[...host.arrived.keys()], told],
      [['10.96.0.3 . tcp . 80'], ['Cannot count what comes to 10.96.0.1 port 80/tcp: EPERM: what is refused there is not counted']],
    );
  });
});
