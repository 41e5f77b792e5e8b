import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isKnownError } from '../../../errors/known-error.ts';
import type { SubnetLease } from '../../lease/lease.ts';
import type { KernelLink, Underlay } from '../../plan/network.ts';
import type { BackendConfig } from '../backend.ts';
import { backendConformance } from '../testing/conformance.ts';
import { type VxlanData, vxlan } from './vxlan.ts';

backendConformance(vxlan, { Type: 'vxlan' });
backendConformance(vxlan, { Type: 'vxlan', DirectRouting: true, VNI: 4096, Port: 4789 });

const underlay: Underlay = { name: 'eth0', mtu: 1500, ip: '192.168.120.11', prefix: 24 };
const underlay6: Underlay = { ...underlay, ip: '2001:db8::11', prefix: 64 };

function lease(n: number, change: Partial<SubnetLease> = {}): SubnetLease {
  const data = { VNI: 1, VtepMAC: `02:00:00:00:00:0${n}` };
  return { node: `n${n}`, podCidr: `10.244.${n}.0/24`, publicIp: `192.168.120.${10 + n}`, type: 'vxlan', data, since: '', ...change };
}

function refusal(data: unknown): string {
  const read = vxlan({ Type: 'vxlan' }).readPeer(lease(2, { data }), underlay);
  return read.kind === 'foreign' ? `foreign: ${read.why}` : read.kind === 'refused' ? read.why : read.kind;
}

describe('readPeer() of vxlan', () => {
  const mac = '02:00:00:00:00:02';
  const cases: readonly [what: string, data: unknown, said: RegExp][] = [
    ['takes what flannel tells', { VNI: 1, VtepMAC: mac }, /^lease$/],
    ['takes capital letters, as some write a MAC', { VNI: 1, VtepMAC: '02:00:00:00:00:AB' }, /^lease$/],
    ['takes a missing VNI for 1, as old flannels leave it out', { VtepMAC: mac }, /^lease$/],
    ['takes another VNI for another backend', { VNI: 2, VtepMAC: mac }, /^foreign: its VNI is 2, not 1$/],
    ['refuses a node that tells nothing', undefined, /no VtepMAC/],
    ['refuses null', null, /no VtepMAC/],
    ['refuses a number', 7, /no VtepMAC/],
    ['refuses what host-gw or wireguard tell', { PublicKey: 'x' }, /no VtepMAC/],
    // With these the kernel's refusal would keep this node from its network.
    ...['00:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff', '01:00:5e:00:00:01', 'x', `${mac}:00`].map((bad): [string, unknown, RegExp] => [
      `refuses ${bad}, which no link can have`,
      { VNI: 1, VtepMAC: bad },
      /its VtepMAC ".*" is no link's/,
    ]),
  ];
  for (const [what, data, said] of cases) test(what, () => assert.match(refusal(data), said));
});

describe('leaseData() of vxlan', () => {
  const links: KernelLink[] = ['flannel.1', 'flannel-v6.1'].map((name, i) => {
    return { name, mac: `02:00:00:00:00:a${i}`, mtu: 1450, up: true, kind: { kind: 'other' } };
  });
  const told = { VNI: 9, VtepMAC: '02:00:00:00:00:77' };
  const cases: readonly [what: string, family: 4 | 6, told: unknown, links: KernelLink[], mac: string][] = [
    ['keeps the MAC that it told, though the VNI was another', 4, told, links, told.VtepMAC],
    ['takes the MAC of the device that is there', 4, undefined, links, '02:00:00:00:00:a0'],
    ["takes the MAC of IPv6's own device", 6, undefined, links, '02:00:00:00:00:a1'],
    ['takes the MAC of the device for one that no link can have', 4, { VtepMAC: '00:00:00:00:00:00' }, links, '02:00:00:00:00:a0'],
    ['draws one when there is nothing', 4, undefined, [], '02:00:00:00:00:ff'],
  ];
  for (const [what, family, before, has, mac] of cases)
    test(what, () => {
      const own = { family, told: before, links: has, publicIp: underlay.ip, underlay, randomMac: () => '02:00:00:00:00:ff' };
      assert.deepEqual(vxlan({ Type: 'vxlan' }).leaseData(own), { VNI: 1, VtepMAC: mac });
    });

  test("is flannel's text", () => {
    const own = { family: 4, told, links, publicIp: underlay.ip, underlay, randomMac: () => '' } as const;
    assert.equal(JSON.stringify(vxlan({ Type: 'vxlan', VNI: 7 }).leaseData(own)), '{"VNI":7,"VtepMAC":"02:00:00:00:00:77"}');
  });
});

describe('plan() of vxlan', () => {
  test('is what flannel makes: a device, and per node a route, a neighbour and a forwarding entry', () => {
    const own = lease(1) as SubnetLease<VxlanData>;
    assert.deepEqual(vxlan({ Type: 'vxlan' }).plan({ own, peers: [lease(2) as SubnetLease<VxlanData>], underlay }), {
      mtu: 1450,
      links: [
        {
          name: 'flannel.1',
          mac: '02:00:00:00:00:01',
          mtu: 1450,
          address: { ip: '10.244.1.0', prefix: 32 },
          kind: { kind: 'vxlan', vni: 1, port: 8472, local: '192.168.120.11', learning: false },
          parent: 'eth0',
          exclusive: true,
        },
      ],
      routes: [{ dst: '10.244.2.0/24', link: 'flannel.1', gateway: '10.244.2.0', onlink: true }],
      neighbours: [
        { kind: 'neighbour', link: 'flannel.1', ip: '10.244.2.0', mac: '02:00:00:00:00:02' },
        { kind: 'fdb', link: 'flannel.1', ip: '192.168.120.12', mac: '02:00:00:00:00:02' },
      ],
      sysctls: { 'net/ipv6/conf/flannel.1/accept_ra': '0' },
      chains: [
        {
          name: 'outer-in',
          hook: { type: 'filter', hook: 'prerouting', priority: -300 },
          rules: ['ip daddr 192.168.120.11 meta l4proto udp th dport 8472 notrack'],
        },
        {
          name: 'outer-out',
          hook: { type: 'filter', hook: 'output', priority: -300 },
          rules: ['ip saddr 192.168.120.11 meta l4proto udp th dport 8472 notrack'],
        },
      ],
    });
  });

  test('with DirectRouting reaches nodes on the link by plain routes, and the others as ever', () => {
    const own = lease(1) as SubnetLease<VxlanData>;
    const peers = [lease(2), lease(3, { publicIp: '192.0.2.3' })] as SubnetLease<VxlanData>[];
    const { routes, neighbours } = vxlan({ Type: 'vxlan', DirectRouting: true }).plan({ own, peers, underlay });
    assert.deepEqual(routes, [
      { dst: '10.244.2.0/24', link: 'eth0', gateway: '192.168.120.12', onlink: false },
      { dst: '10.244.3.0/24', link: 'flannel.1', gateway: '10.244.3.0', onlink: true },
    ]);
    assert.deepEqual(
      neighbours.map((n) => n.ip),
      ['10.244.3.0', '192.0.2.3'],
    );
  });

  test("uses flannel's device of IPv6 for ranges of IPv6, with room for the longer header", () => {
    const own = lease(1, { podCidr: 'fd00:1::/64', publicIp: '2001:db8::11' }) as SubnetLease<VxlanData>;
    const peer = lease(2, { podCidr: 'fd00:2::/64', publicIp: '2001:db8::12' }) as SubnetLease<VxlanData>;
    const { mtu, links, routes, chains } = vxlan({ Type: 'vxlan' }).plan({ own, peers: [peer], underlay: underlay6 });
    assert.deepEqual([mtu, links[0]?.name, links[0]?.address], [1430, 'flannel-v6.1', { ip: 'fd00:1::', prefix: 128 }]);
    assert.deepEqual(routes, [{ dst: 'fd00:2::/64', link: 'flannel-v6.1', gateway: 'fd00:2::', onlink: true }]);
    assert.deepEqual(chains[0]?.rules, ['ip6 daddr 2001:db8::11 meta l4proto udp th dport 8472 notrack']);
  });
});

describe('options of vxlan', () => {
  const cases: readonly [options: Omit<BackendConfig, 'Type'>, said: RegExp, hint: RegExp][] = [
    [{ VNI: 0 }, /VNI 0$/, /^A VNI is 1 to 16777215$/],
    [{ VNI: 2 ** 24 }, /VNI 16777216$/, /VNI/],
    [{ VNI: 1.5 }, /VNI 1\.5$/, /VNI/],
    [{ VNI: '1' }, /VNI 1$/, /VNI/],
    [{ Port: 0 }, /port 0$/, /^A port is 1 to 65535$/],
    [{ Port: 65_536 }, /port 65536$/, /port/],
    [{ MTU: 575 }, /MTU 575$/, /^An MTU is 576 to 65535$/],
    [{ MTU: 65_536 }, /MTU 65536$/, /MTU/],
    [{ DirectRouting: 'yes' }, /DirectRouting yes$/, /true or false/],
  ];
  for (const [options, said, hint] of cases)
    test(`refuses ${JSON.stringify(options)}`, () =>
      assert.throws(
        () => vxlan({ Type: 'vxlan', ...options }),
        (err) => isKnownError(err, 'BAD_CONFIG') && said.test(err.message) && hint.test(err.hint ?? ''),
      ));

  test('takes the least and the most', () => {
    vxlan({ Type: 'vxlan', VNI: 1, Port: 1, MTU: 576 });
    vxlan({ Type: 'vxlan', VNI: 2 ** 24 - 1, Port: 65_535, MTU: 65_535 });
  });
});
