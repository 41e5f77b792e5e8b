import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Node } from '../../api/schema/types.ts';
import { chooseUnderlay, type NodeAddresses, type UnderlayWish } from './underlay.ts';

/** A virtual machine as Vagrant makes it: eth0 leads to the world and has the same address on each of them. */
const machine: NodeAddresses = {
  addresses: [
    { name: 'eth0', mtu: 1500, ip: '10.0.2.15', prefix: 24 },
    { name: 'eth1', mtu: 1500, ip: '192.168.56.11', prefix: 24 },
    { name: 'eth2', mtu: 9000, ip: '172.16.0.11', prefix: 16 },
  ],
  sourceTo: async (host) => ({ '192.168.56.1': '192.168.56.11', '172.16.0.1': '172.16.0.11' })[host],
  sourceToWorld: async () => '10.0.2.15',
};

function node(...internal: string[]): Node {
  const addresses = internal.map((address) => ({ type: 'InternalIP', address }));
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n' },
    status: { addresses: [{ type: 'ExternalIP', address: '172.16.0.11' }, ...addresses] },
  };
}

const cases: readonly [what: string, wish: UnderlayWish, node: Node, apiServer: string | undefined, ip: string | undefined][] = [
  ["the Node's InternalIP, though the default route is another's", {}, node('192.168.56.11'), '172.16.0.1', '192.168.56.11'],
  ['the first InternalIP that is here', {}, node('fd00::1', '192.0.2.7', '172.16.0.11'), undefined, '172.16.0.11'],
  ['what speaks to the API server, while the Node has no address', {}, node(), '192.168.56.1', '192.168.56.11'],
  ['what speaks to the API server, when the InternalIP is on no link', {}, node('192.0.2.7'), '192.168.56.1', '192.168.56.11'],
  ['the default route, when the API server is this machine', {}, node(), '127.0.0.1', '10.0.2.15'],
  ['the default route, when nothing is known', {}, node(), undefined, '10.0.2.15'],
  ['--public-ip of a link before the InternalIP', { publicIp: '172.16.0.11' }, node('192.168.56.11'), undefined, '172.16.0.11'],
  ['the InternalIP beside a --public-ip of no link', { publicIp: '203.0.113.1' }, node('192.168.56.11'), undefined, '192.168.56.11'],
  ['--iface by name', { iface: ['wlan0', 'eth2'] }, node('192.168.56.11'), undefined, '172.16.0.11'],
  ['--iface by address', { iface: ['10.0.2.15'] }, node('192.168.56.11'), undefined, '10.0.2.15'],
  ['--iface before --public-ip', { iface: ['eth1'], publicIp: '172.16.0.11' }, node(), undefined, '192.168.56.11'],
  ['--iface-regex by name', { ifaceRegex: ['^wl', 'h2$'] }, node('192.168.56.11'), undefined, '172.16.0.11'],
  ['--iface-regex by address', { ifaceRegex: ['^192\\.168\\.'] }, node('172.16.0.11'), undefined, '192.168.56.11'],
  ['--iface-can-reach', { ifaceCanReach: '172.16.0.1' }, node('192.168.56.11'), undefined, '172.16.0.11'],
  ['nothing else, when --iface is not there', { iface: ['wlan0'] }, node('192.168.56.11'), '192.168.56.1', undefined],
];

describe('chooseUnderlay()', () => {
  for (const [what, wish, of, apiServer, ip] of cases)
    test(`takes ${what}`, async () => assert.equal((await chooseUnderlay(wish, of, apiServer, machine))?.ip, ip));
});
