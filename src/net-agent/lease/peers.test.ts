import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Node } from '../../api/schema/types.ts';
import { mustCidr } from '../../ip/ip.ts';
import { hostGw } from '../backend/host-gw/host-gw.ts';
import { type VxlanData, vxlan } from '../backend/vxlan/vxlan.ts';
import { annotationsOf, type SubnetLease } from './lease.ts';
import { readPeers, settlePeers } from './peers.ts';

function vtep(n: number): VxlanData {
  return { VNI: 1, VtepMAC: `02:00:00:00:00:0${n}` };
}

function lease(node: string, n: number, change: Partial<SubnetLease<VxlanData>> = {}): SubnetLease<VxlanData> {
  return {
    node,
    podCidr: `10.244.${n}.0/24`,
    publicIp: `192.168.120.${10 + n}`,
    type: 'vxlan',
    data: vtep(n),
    since: `2026-01-0${n}T00:00:00Z`,
    ...change,
  };
}

const own = lease('own', 5);

const cases: readonly [what: string, candidates: SubnetLease[], kept: string[], refused: Record<string, RegExp>][] = [
  ['keeps those that have all for themselves', [lease('b', 2), lease('a', 1)], ['a', 'b'], {}],
  [
    'leaves a range to the older Node, whatever the newer is called',
    [lease('aaa', 3, { podCidr: '10.244.1.0/24' }), lease('z', 1)],
    ['z'],
    { aaa: /its range 10\.244\.1\.0\/24 is that of node "z"/ },
  ],
  [
    'leaves a range to the older Node when the newer claims a part, or more',
    [lease('z', 2), lease('part', 3, { podCidr: '10.244.2.128/25' }), lease('more', 4, { podCidr: '10.244.0.0/21' })],
    ['z'],
    { part: /is that of node "z"/, more: /is that of node "own"/ },
  ],
  [
    'lets nobody have the range of this node, though it were older',
    [lease('old', 1, { podCidr: own.podCidr })],
    [],
    { old: /its range 10\.244\.5\.0\/24 is that of node "own"/ },
  ],
  [
    'lets nobody have an address of this node',
    [lease('a', 1, { publicIp: own.publicIp }), lease('b', 2, { publicIp: '10.0.2.15' })],
    [],
    { a: /its public-ip 192\.168\.120\.15 is this node's own/, b: /its public-ip 10\.0\.2\.15 is this node's own/ },
  ],
  [
    'lets nobody have the MAC of another',
    [lease('a', 1, { data: own.data }), lease('c', 3, { data: vtep(2) }), lease('b', 2)],
    ['b'],
    { a: /its VtepMAC .* is that of node "own"/, c: /is that of node "b"/ },
  ],
  [
    'goes by the name when Nodes are equally old',
    [lease('b', 1, { since: '' }), lease('a', 1, { since: '' })],
    ['a'],
    { b: /of node "a"/ },
  ],
  ['takes a Node that does not tell its age for the younger', [lease('a', 1, { since: '' }), lease('b', 1)], ['b'], { a: /of node "b"/ }],
];

describe('settlePeers()', () => {
  for (const [what, candidates, kept, refused] of cases)
    test(what, () => {
      const settled = settlePeers({ lease: own, ips: ['192.168.120.15', '10.0.2.15'] }, candidates, vxlan({ Type: 'vxlan' }));
      assert.deepEqual(
        settled.peers.map((p) => p.node),
        kept,
      );
      assert.deepEqual([...settled.refused.keys()].toSorted(), Object.keys(refused).toSorted());
      for (const [node, why] of Object.entries(refused)) assert.match(settled.refused.get(node) ?? '', why);
    });
});

describe('readPeers()', () => {
  const network = mustCidr('10.244.0.0/16');
  const underlay = { name: 'eth0', mtu: 1500, ip: own.publicIp, prefix: 24 };
  const node = (of: SubnetLease): Node => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: of.node, annotations: annotationsOf(of) },
    spec: { podCIDR: of.podCidr },
  });
  const silent: Node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'silent' }, spec: { podCIDR: '10.244.9.0/24' } };

  test('reads whom the backend can reach, and says of each other why not; who tells nothing yet is passed over', () => {
    const other = lease('other', 1, { data: { VNI: 7, VtepMAC: '02:00:00:00:00:01' } });
    const far = lease('far', 4, { type: 'host-gw', publicIp: '192.0.2.4' });
    const same = { ...lease('same', 6), type: 'host-gw', podCidr: '10.244.2.0/24', data: null as never };
    const twin = lease('twin', 3, { publicIp: own.publicIp });
    const all = [own, lease('good', 2), other, far, twin, same].map(node);
    const read = readPeers([...all, silent], network, vxlan({ Type: 'vxlan' }), { lease: own, ips: [], underlay });
    assert.deepEqual(
      read.peers.map((p) => p.node),
      ['good'],
    );
    assert.deepEqual(
      read.foreign.map((p) => p.node),
      ['other'],
    );
    assert.deepEqual([...read.refused].toSorted(), [
      ['far', 'its backend is "host-gw", not vxlan'],
      ['same', 'its range 10.244.2.0/24 is that of node "good"'],
      ['twin', "its public-ip 192.168.120.15 is this node's own"],
    ]);
  });

  test('takes any two nodes for different where the backend tells no identity', () => {
    const gw = (name: string, n: number): SubnetLease => ({ ...lease(name, n), type: 'host-gw', data: null });
    const nodes = [gw('a', 1), gw('b', 2)].map(node);
    const { peers } = readPeers(nodes, network, hostGw({ Type: 'host-gw' }), { lease: gw('own', 5), ips: [], underlay });
    assert.equal(peers.length, 2);
  });
});
