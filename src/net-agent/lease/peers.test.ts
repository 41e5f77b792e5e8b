import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Lease } from './lease.ts';
import { settlePeers } from './peers.ts';

function lease(node: string, n: number, change: Partial<Lease> = {}): Lease {
  return {
    node,
    podCidr: `10.244.${n}.0/24`,
    publicIp: `192.168.120.${10 + n}`,
    vni: 1,
    vtepMac: `02:00:00:00:00:0${n}`,
    since: `2026-01-0${n}T00:00:00Z`,
    ...change,
  };
}

const own = lease('own', 5);

const cases: readonly [what: string, candidates: Lease[], kept: string[], refused: Record<string, RegExp>][] = [
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
    [lease('a', 1, { vtepMac: own.vtepMac }), lease('c', 3, { vtepMac: '02:00:00:00:00:02' }), lease('b', 2)],
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
    it(what, () => {
      const settled = settlePeers(own, ['192.168.120.15', '10.0.2.15'], candidates);
      assert.deepEqual(
        settled.peers.map((p) => p.node),
        kept,
      );
      assert.deepEqual([...settled.refused.keys()].toSorted(), Object.keys(refused).toSorted());
      for (const [node, why] of Object.entries(refused)) assert.match(settled.refused.get(node) ?? '', why);
    });
});
