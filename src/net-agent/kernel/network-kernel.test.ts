import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { addAddress, deleteAddress } from '../../linux/netlink/address.ts';
import { changeLink, deleteLink } from '../../linux/netlink/link.ts';
import { decodeMessages, encodeMessage, type NetlinkMessage, type NetlinkRequest } from '../../linux/netlink/message.ts';
import { deleteNeighbour, replaceNeighbour } from '../../linux/netlink/neighbour.ts';
import { addRoute, deleteRoute, replaceRoute } from '../../linux/netlink/route.ts';
import { Rtnetlink } from '../../linux/netlink/rtnetlink.ts';
import { enterNetns } from '../../linux/netns.ts';
import { readSysctl } from '../../linux/sysctl.ts';
import { cannotMakeNamespaces, Namespaces } from '../../linux/testing/namespaces.ts';
import { concerns, LinuxNetworkKernel } from './network-kernel.ts';

/** As the kernel tells of a change: the same fixed part as in the request for it. */
function notice(request: NetlinkRequest): NetlinkMessage {
  const [message] = decodeMessages(encodeMessage(request, 0, 0));
  assert.ok(message);
  return message;
}

const ours = 3;
const pods = 9;
const address = (index: number): { index: number; ip: string; prefix: number } => ({ index, ip: '10.244.1.1', prefix: 24 });
const entry = (kind: 'neighbour' | 'fdb', index: number): Parameters<typeof deleteNeighbour>[0] => ({
  kind,
  index,
  ip: '192.168.120.12',
  mac: '02:00:00:00:00:02',
});

const cases: readonly [what: string, told: NetlinkMessage | 'lost', counts: boolean][] = [
  ['notices that were lost', 'lost', true],
  ['a change of a link of ours', notice(changeLink(ours, { mtu: 1400 })), true],
  ['the end of a link of ours', notice(deleteLink(ours)), true],
  ["a change of a pod's link", notice(changeLink(pods, { up: true })), false],
  ["the end of a pod's link", notice(deleteLink(pods)), false],
  ['an address that a link of ours lost', notice(deleteAddress(address(ours))), true],
  ['an address that a link of ours got', notice(addAddress(address(ours))), true],
  ["a pod's address", notice(addAddress(address(pods))), false],
  ['a route that is gone, whatever its link', notice(deleteRoute({ dst: '10.244.2.0/24', index: pods })), true],
  ['a route that is new', notice(addRoute({ dst: '10.244.2.0/24', index: ours })), true],
  ['a route of IPv6 that is new', notice(addRoute({ dst: 'fd00:10:244:2::/64', index: ours })), true],
  ['a route of IPv6 that the kernel made for a link', notice(addRoute({ dst: 'fe80::/64', index: pods, protocol: 2 })), false],
  ['a route of IPv6 that the kernel took along with a link', notice(deleteRoute({ dst: 'fe80::/64', index: pods, protocol: 2 })), false],
  ['a route that a router advertises', notice(replaceRoute({ dst: '::/0', index: ours, gateway: 'fe80::1', protocol: 9 })), false],
  ['a route of IPv4 that the kernel made', notice(addRoute({ dst: '10.244.1.0/24', index: ours, protocol: 2 })), true],
  ['a neighbour of ours that is gone', notice(deleteNeighbour(entry('neighbour', ours))), true],
  ['a forwarding entry of ours that is gone', notice(deleteNeighbour(entry('fdb', ours))), true],
  ['a neighbour that was learnt', notice(replaceNeighbour(entry('neighbour', ours))), false],
  ["a pod's neighbour that is gone", notice(deleteNeighbour(entry('neighbour', pods))), false],
];

describe('concerns()', () => {
  for (const [what, told, counts] of cases)
    test(`${counts ? 'hears' : 'does not hear'} ${what}`, () => {
      assert.equal(concerns(told, new Set([ours])), counts);
    });
});

test('a machine that begins to forward heeds those routers that it has routes of', { skip: cannotMakeNamespaces }, async () => {
  await using net = new Namespaces();
  await net.add('n');
  for (const [link, accepts] of [
    ['advertised', '1'],
    ['quiet', '1'],
    ['managed', '0'],
  ]) {
    await net.ip('n', `link add ${link} type bridge`);
    await net.ip('n', `link set ${link} up`);
    await net.run('n', 'busybox', ['sysctl', '-w', `net.ipv6.conf.${link}.accept_ra=${accepts}`]);
  }
  for (const [at, link] of ['advertised', 'managed'].entries())
    await net.ip('n', `-6 route add default via fe80::1 dev ${link} proto ra metric ${100 + at} onlink`);
  using netlink = Rtnetlink.openIn(net.path('n'));
  using _ = enterNetns(net.path('n'));
  await new LinuxNetworkKernel(netlink).setSysctls({ 'net/ipv6/conf/all/forwarding': '1' });
  const settings = ['all/forwarding', 'advertised/accept_ra', 'quiet/accept_ra', 'managed/accept_ra'];
  assert.deepEqual(
    settings.map((name) => readSysctl(`net/ipv6/conf/${name}`)),
    ['1', '2', '1', '0'],
  );
});
