import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Rtnetlink } from '../linux/netlink/rtnetlink.ts';
import { bindersOf, linkFor, type NodeLink, readLinks } from './links.ts';

/** The links of a kernel: eth0 between nodes, eth1 with a network of its own, lo without a MAC, and one that is down. */
const read: readonly NodeLink[] = await readLinks({
  links: async () => [
    { index: 1, name: 'lo', mac: '00:00:00:00:00:00', up: true },
    { index: 2, name: 'eth0', mac: '02:00:00:00:00:ff', up: true },
    { index: 3, name: 'eth1', mac: '02:00:00:00:00:01', up: true },
    { index: 4, name: 'down', mac: '02:00:00:00:00:02', up: false },
    { index: 5, name: 'tun', mac: '', up: true },
  ],
  addresses: async () => [
    { index: 2, ip: '192.0.2.5', prefix: 24 },
    { index: 2, ip: 'fd00::5', prefix: 64 },
    { index: 3, ip: '198.51.100.5', prefix: 24 },
    { index: 4, ip: '203.0.113.7', prefix: 32 },
  ],
} as unknown as Rtnetlink);

const nodeIps = ['192.0.2.5', 'fd00::5'];
const nameFor = (ip: string, names: readonly string[] = []): string | undefined => linkFor(ip, read, nodeIps, names)?.name;

test('readLinks() gives each link its MAC, its addresses and their networks', () => {
  assert.deepEqual(
    read.map(({ name, isOpen, addresses, networks }) => [name, isOpen, addresses, networks.map(({ text }) => text)]),
    [
      ['lo', false, [], []],
      ['eth0', true, ['192.0.2.5', 'fd00::5'], ['192.0.2.0/24', 'fd00::/64']],
      ['eth1', true, ['198.51.100.5'], ['198.51.100.0/24']],
      ['down', false, ['203.0.113.7'], ['203.0.113.7/32']],
      ['tun', false, [], []],
    ],
  );
  assert.deepEqual(read[1]?.mac, Uint8Array.of(2, 0, 0, 0, 0, 255));
});

for (const [what, ip, names, wanted] of [
  ['in the network of a link is asked for there', '198.51.100.200', [], 'eth1'],
  ['of no network is asked for where the other nodes are', '203.0.113.200', [], 'eth0'],
  ['of IPv6, too', 'fd99::1', [], 'eth0'],
  ['of no network is asked for on the link that was named', '203.0.113.200', ['eth1'], 'eth1'],
  ['in the network of a link that was not named is not asked for there', '198.51.100.200', ['eth0'], 'eth0'],
  ['is asked for on no link that is down', '203.0.113.7', ['down'], undefined],
] as const)
  test(`linkFor(): an address ${what}`, () => assert.equal(nameFor(ip, names), wanted));

test('bindersOf() finds an address also on a link that is down', () => {
  assert.deepEqual(
    bindersOf('203.0.113.7', read).map(({ name }) => name),
    ['down'],
  );
});
