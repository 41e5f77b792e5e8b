import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mustCidr } from '../../ip/ip.ts';
import { printTable } from '../../linux/nftables/print.ts';
import { trace } from '../../linux/nftables/trace.ts';
import type { PlanInput } from '../backend/backend.ts';
import { type VxlanData, vxlan } from '../backend/vxlan/vxlan.ts';
import type { SubnetLease } from '../lease/lease.ts';
import { FakeNetworkKernel } from '../testing/fake-network-kernel.ts';
import { diff, routeProtocol } from './diff.ts';
import type { DesiredNetwork } from './network.ts';
import { plan } from './plan.ts';
import { beforeTracking, planRules, type RulesInput, rulesTable } from './rules.ts';

function lease(n: number, change: Partial<SubnetLease<VxlanData>> = {}): SubnetLease<VxlanData> {
  return {
    node: `node${n}`,
    podCidr: `10.244.${n}.0/24`,
    publicIp: `192.168.120.${10 + n}`,
    type: 'vxlan',
    data: { VNI: 1, VtepMAC: `02:00:00:00:00:0${n}` },
    since: '',
    ...change,
  };
}

const input: PlanInput<VxlanData> = {
  own: lease(1),
  peers: [lease(2), lease(3)],
  underlay: { name: 'eth0', mtu: 1500, ip: '192.168.120.11', prefix: 24 },
};
const backend = vxlan({ Type: 'vxlan' });
const direct = vxlan({ Type: 'vxlan', DirectRouting: true });

async function settle(kernel: FakeNetworkKernel, desired: DesiredNetwork): Promise<string[]> {
  const steps = diff(desired, await kernel.read());
  await kernel.take(steps);
  assert.deepEqual(diff(desired, await kernel.read()), [], 'a second look finds something to do');
  return steps.map((s) => s.do);
}

async function settled(): Promise<FakeNetworkKernel> {
  const kernel = new FakeNetworkKernel();
  kernel.state.links.push({ name: 'eth0', mac: '02:00:00:00:01:01', mtu: 1500, up: true, kind: { kind: 'other' } });
  await settle(kernel, plan(backend, input));
  return kernel;
}

describe('plan()', () => {
  test('makes a route, a neighbour and a forwarding entry per peer', () => {
    const { routes, neighbours } = plan(backend, input);
    assert.deepEqual(routes[0], { dst: '10.244.2.0/24', link: 'flannel.1', gateway: '10.244.2.0', onlink: true });
    assert.deepEqual(neighbours.slice(0, 2), [
      { kind: 'neighbour', link: 'flannel.1', ip: '10.244.2.0', mac: '02:00:00:00:00:02' },
      { kind: 'fdb', link: 'flannel.1', ip: '192.168.120.12', mac: '02:00:00:00:00:02' },
    ]);
    assert.deepEqual([routes.length, neighbours.length], [2, 4]);
  });

  test('gives pods a bridge with the first address of their range, and leaves it what others put on it', () => {
    const { links } = plan(backend, input);
    assert.deepEqual(links.at(-1), {
      name: 'cni0',
      mac: '0a:58:0a:f4:01:01',
      mtu: 1450,
      address: { ip: '10.244.1.1', prefix: 24 },
      kind: { kind: 'bridge' },
      exclusive: false,
    });
  });

  test('switches forwarding on, for the family of the pods', () => {
    assert.deepEqual(plan(backend, input).sysctls, {
      'net/ipv4/ip_forward': '1',
      'net/ipv4/conf/all/send_redirects': '0',
      'net/ipv4/conf/cni0/send_redirects': '0',
      'net/ipv6/conf/flannel.1/accept_ra': '0',
    });
    const six = plan(backend, { ...input, own: lease(1, { podCidr: 'fd00:1::/64' }), peers: [] });
    assert.deepEqual(six.sysctls, {
      'net/ipv6/conf/all/forwarding': '1',
      'net/ipv6/conf/cni0/accept_ra': '0',
      'net/ipv6/conf/flannel-v6.1/accept_ra': '0',
    });
    assert.deepEqual([six.family, six.links[1]?.address, six.links[1]?.mac], [6, { ip: 'fd00:1::1', prefix: 64 }, '0a:58:00:00:00:01']);
  });

  test('leaves room for the outer headers, unless it is told the MTU', () => {
    assert.deepEqual(
      plan(backend, input).links.map((l) => l.mtu),
      [1450, 1450],
    );
    assert.deepEqual(
      plan(vxlan({ Type: 'vxlan', MTU: 1400 }), input).links.map((l) => l.mtu),
      [1400, 1400],
    );
  });

  test('reaches nodes on the same link directly when it may', () => {
    const { routes, neighbours } = plan(direct, { ...input, peers: [lease(2), lease(3, { publicIp: '172.16.0.3' })] });
    assert.deepEqual(routes[0], { dst: '10.244.2.0/24', link: 'eth0', gateway: '192.168.120.12', onlink: false });
    assert.equal(routes[1]?.link, 'flannel.1');
    assert.equal(neighbours.length, 2);
  });
});

describe('diff()', () => {
  test('finds nothing to do twice', async () => {
    await settled();
  });

  type Damage = [what: string, damage: (k: FakeNetworkKernel) => void, steps: string[]];
  const damages: readonly Damage[] = [
    [
      'flannel.1 deleted',
      (k) => k.deleteLink('flannel.1'),
      ['add-link', 'add-address', ...Array(4).fill('put-neighbour'), 'put-route', 'put-route'],
    ],
    ['flannel.1 down', (k) => k.setDown('flannel.1'), ['change-link', ...Array(4).fill('put-neighbour'), 'put-route', 'put-route']],
    [
      'flannel.1 down, though the kernel still lists what it had',
      (k) => {
        k.state.links = k.state.links.map((l) => (l.name === 'flannel.1' ? { ...l, up: false } : l));
      },
      ['change-link', ...Array(4).fill('put-neighbour'), 'put-route', 'put-route'],
    ],
    [
      'cni0 made smaller',
      (k) => {
        k.state.links = k.state.links.map((l) => (l.name === 'cni0' ? { ...l, mtu: 1280 } : l));
      },
      ['change-link'],
    ],
    [
      'a route that needs its gateway to be on the link',
      (k) => {
        k.state.routes = k.state.routes.map((r) => ({ ...r, onlink: false }));
      },
      ['put-route', 'put-route'],
    ],
    [
      'learning switched on',
      (k) => {
        k.state.links = k.state.links.map((l) => (l.kind.kind === 'vxlan' ? { ...l, kind: { ...l.kind, learning: true } } : l));
      },
      ['change-link'],
    ],
    [
      "the kernel's own route on flannel.1, to the range of an address that somebody added",
      (k) => k.state.routes.push({ dst: '10.9.0.0/24', link: 'flannel.1', gateway: undefined, onlink: false, protocol: 2 }),
      [],
    ],
    ['cni0 deleted', (k) => k.deleteLink('cni0'), ['add-link', 'add-address']],
    ['a route deleted', (k) => k.state.routes.pop(), ['put-route']],
    ['a neighbour deleted', (k) => k.state.neighbours.shift(), ['put-neighbour']],
    [
      'a route pointing elsewhere',
      (k) => {
        k.state.routes = k.state.routes.map((r) => ({ ...r, gateway: '10.244.9.9' }));
      },
      ['put-route', 'put-route'],
    ],
    [
      'the MAC changed',
      (k) => {
        k.state.links = k.state.links.map((l) => (l.name === 'flannel.1' ? { ...l, mac: '02:00:00:00:00:99' } : l));
      },
      ['change-link'],
    ],
    ['a second address on cni0', (k) => k.state.addresses.push({ link: 'cni0', ip: '10.244.7.1', prefix: 24 }), ['delete-address']],
    [
      'the address of cni0 with another prefix',
      (k) => {
        k.state.addresses = k.state.addresses.map((a) => (a.link === 'cni0' ? { ...a, prefix: 16 } : a));
      },
      ['delete-address', 'add-address'],
    ],
    [
      "a stale route of flannel's",
      (k) => k.state.routes.push({ dst: '10.244.9.0/24', link: 'flannel.1', gateway: '10.244.9.0', onlink: true, protocol: 3 }),
      ['delete-route'],
    ],
    [
      'a stale direct route of its own',
      (k) => k.state.routes.push({ dst: '10.244.9.0/24', link: 'eth0', gateway: '192.168.120.19', onlink: false, protocol: routeProtocol }),
      ['delete-route'],
    ],
    ...[{ vni: 7 }, { port: 7 }, { local: '192.0.2.7' }, { parent: 'eth7' }].map(
      ({ parent, ...kind }: { parent?: string }): Damage => [
        `another ${Object.keys(kind)[0] ?? 'parent'}, as after a change of the configuration`,
        (k) => {
          k.state.links = k.state.links.map((l) => {
            if (l.kind.kind !== 'vxlan') return l;
            return { ...l, kind: { ...l.kind, ...kind }, ...(parent === undefined ? {} : { parent }) };
          });
        },
        ['delete-link', 'add-link', 'add-address', ...Array(4).fill('put-neighbour'), 'put-route', 'put-route'],
      ],
    ),
    ['an address of IPv6 on cni0', (k) => k.state.addresses.push({ link: 'cni0', ip: 'fd00::1', prefix: 64 }), []],
    [
      'a route of IPv6 on flannel.1',
      (k) => k.state.routes.push({ dst: 'fd00:9::/64', link: 'flannel.1', gateway: 'fd00:9::1', onlink: true, protocol: 3 }),
      [],
    ],
    [
      'a neighbour of IPv6 on flannel.1, as the kernel learns them',
      (k) => k.state.neighbours.push({ kind: 'neighbour', link: 'flannel.1', ip: 'fe80::9', mac: '02:00:00:00:00:09' }),
      [],
    ],
    [
      'a neighbour on another link',
      (k) => k.state.neighbours.push({ kind: 'neighbour', link: 'eth0', ip: '192.168.120.1', mac: '02:00:00:00:00:09' }),
      [],
    ],
    [
      "somebody else's route",
      (k) => k.state.routes.push({ dst: '0.0.0.0/0', link: 'eth0', gateway: '192.168.120.1', onlink: false, protocol: 3 }),
      [],
    ],
  ];
  for (const [what, damage, steps] of damages) {
    test(`repairs: ${what}`, async () => {
      const kernel = await settled();
      damage(kernel);
      assert.deepEqual(await settle(kernel, plan(backend, input)), steps);
    });
  }

  test('leaves a bridge of IPv6 the link-local address that the kernel gives it', async () => {
    const kernel = await settled();
    const six = plan(backend, { ...input, own: lease(1, { podCidr: 'fd00:1::/64' }), peers: [] });
    await settle(kernel, six);
    kernel.state.addresses.push({ link: 'cni0', ip: 'fe80::858:aff:fef4:101', prefix: 64 });
    assert.deepEqual(await settle(kernel, six), []);
    kernel.state.addresses.push({ link: 'cni0', ip: 'fd00:9::1', prefix: 64 });
    assert.deepEqual(await settle(kernel, six), ['delete-address']);
  });

  test('changes of a link what differs, and nothing else', async () => {
    const kernel = await settled();
    kernel.setDown('cni0');
    assert.deepEqual(diff(plan(backend, input), await kernel.read()), [{ do: 'change-link', name: 'cni0', up: true }]);
    kernel.state.links = kernel.state.links.map((l) => {
      if (l.kind.kind === 'vxlan') return { ...l, kind: { ...l.kind, learning: true } };
      return l.name === 'cni0' ? { ...l, up: true, mtu: 1280, mac: '02:00:00:00:00:99' } : l;
    });
    assert.deepEqual(diff(plan(backend, input), await kernel.read()), [
      { do: 'change-link', name: 'flannel.1', kind: { kind: 'vxlan', learning: false } },
      { do: 'change-link', name: 'cni0', mac: '0a:58:0a:f4:01:01', mtu: 1450 },
    ]);
  });

  test('takes away a route of ours to the same nodes by another link, once the right one is there', async () => {
    const kernel = await settled();
    kernel.state.routes.push({ dst: '10.244.2.0/24', link: 'eth0', gateway: '192.168.120.12', onlink: false, protocol: routeProtocol });
    assert.deepEqual(await settle(kernel, plan(backend, input)), ['delete-route']);
    assert.deepEqual(
      kernel.state.routes.map((r) => r.link),
      ['flannel.1', 'flannel.1'],
    );
  });

  test('takes a route, a neighbour and a forwarding entry away with the node', async () => {
    const steps = await settle(await settled(), plan(backend, { ...input, peers: [lease(2)] }));
    assert.deepEqual(steps, ['delete-route', 'delete-neighbour', 'delete-neighbour']);
  });

  test('drops the forwarding entry of the old MAC when a node comes back with a new one', async () => {
    const kernel = await settled();
    await settle(kernel, plan(backend, { ...input, peers: [lease(2, { data: { VNI: 1, VtepMAC: '02:00:00:00:00:77' } }), lease(3)] }));
    assert.deepEqual(
      kernel.state.neighbours.filter((n) => n.ip.endsWith('12')).map((n) => n.mac),
      ['02:00:00:00:00:77'],
    );
  });

  test('follows a node that changed its address', async () => {
    const kernel = await settled();
    const steps = await settle(kernel, plan(backend, { ...input, peers: [lease(2, { publicIp: '192.168.120.99' }), lease(3)] }));
    assert.deepEqual(steps, ['put-neighbour']);
  });

  test('moves all routes when it switches to direct routing', async () => {
    const kernel = await settled();
    const steps = await settle(kernel, plan(direct, input));
    // In their place, and no neighbour goes before: no packet is lost.
    assert.deepEqual(steps, ['put-route', 'put-route', ...Array(4).fill('delete-neighbour')]);
    assert.deepEqual(
      kernel.state.routes.map((r) => r.link),
      ['eth0', 'eth0'],
    );
  });
});

describe('planRules()', () => {
  const rules: RulesInput = {
    network: mustCidr('10.244.0.0/16'),
    podCidr: '10.244.1.0/24',
    masquerade: true,
    chains: plan(backend, input).chains,
  };

  const packets: readonly [what: string, from: string, to: string, mark: number, masqueraded: boolean][] = [
    ['what leaves the pod network', '10.244.1.5', '192.0.2.1', 0, true],
    ['what pods say to each other', '10.244.1.5', '10.244.2.5', 0, false],
    ['what pods say to a group', '10.244.1.5', '224.0.0.251', 0, false],
    ['what comes for a pod of this node', '192.0.2.1', '10.244.1.5', 0, false],
    ['what comes for a pod of another node', '192.0.2.1', '10.244.2.5', 0, true],
    ['what passes by', '192.0.2.1', '192.0.2.2', 0, false],
    ['what a service proxy has marked as its own', '10.244.1.5', '192.0.2.1', 0x4000, false],
    ['what somebody has marked otherwise', '10.244.1.5', '192.0.2.1', 0x8000, true],
  ];
  for (const [what, from, to, mark, masqueraded] of packets)
    test(`${masqueraded ? 'gives the address of the node to' : 'leaves alone'} ${what}`, () => {
      const packet = { from, to, mark, sourcePort: 40_000, port: 80, protocol: 'tcp', interface: 'eth0' };
      const fate = trace(planRules(rules), packet, { nodeIps: ['192.168.120.11'] });
      assert.equal(fate.kind === 'passed' && fate.destinations[0]?.masqueraded, masqueraded);
    });

  test('is a table of its own behind the proxy, with the words of its family', () => {
    const six: RulesInput = { network: mustCidr('fd00::/32'), podCidr: 'fd00:0:1::/64', masquerade: true, chains: [] };
    assert.equal(
      printTable(planRules(six)),
      `table ip6 fairlead-net {
\tchain postrouting {
\t\ttype nat hook postrouting priority 105; policy accept;
\t\tmeta mark & 0x4000 == 0x4000 return
\t\tip6 saddr fd00::/32 ip6 daddr fd00::/32 return
\t\tip6 saddr fd00::/32 ip6 daddr ff00::/8 return
\t\tip6 saddr fd00::/32 masquerade fully-random
\t\tip6 daddr fd00:0:1::/64 return
\t\tip6 daddr fd00::/32 masquerade fully-random
\t}
}
`,
    );
  });

  test('keeps what a later version finds its own by, and the place that the kernel leaves before its tracking', () => {
    assert.deepEqual([rulesTable, routeProtocol, beforeTracking], ['fairlead-net', 70, -300]);
  });

  test('does not masquerade when that is off', () => {
    assert.doesNotMatch(printTable(planRules({ ...rules, masquerade: false })), /masquerade/);
  });

  test('leaves only the outer packets of this node untracked', () => {
    const untracked = planRules(rules).chains.flatMap(({ hook, rules }) =>
      rules.filter((r) => r.includes('notrack')).map((r) => `${hook?.hook}: ${r}`),
    );
    assert.deepEqual(untracked, [
      'prerouting: ip daddr 192.168.120.11 meta l4proto udp th dport 8472 notrack',
      'output: ip saddr 192.168.120.11 meta l4proto udp th dport 8472 notrack',
    ]);
  });
});
