import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../clock/testing/eventually.ts';
import { enterNetns } from '../../linux/netns.ts';
import { sourceAddressTo } from '../../linux/source-address.ts';
import { cannotMakeNamespaces, Namespaces } from '../../linux/testing/namespaces.ts';
import { nodeAddresses } from '../../setup/node-address.ts';
import { ownAddress, ownNodeIp } from './cluster-flags.ts';

test('a part of a machine that speaks IPv6 from an address for privacy takes one that stays', { skip: cannotMakeNamespaces }, async () => {
  await using net = new Namespaces();
  await net.add('n');
  await net.ip('n', 'link add eth0 type bridge');
  await net.run('n', 'sh', ['-c', 'cd /proc/sys/net/ipv6/conf/eth0 && echo 2 >use_tempaddr && echo 0 >accept_dad']);
  await net.ip('n', 'link set eth0 up');
  await net.ip('n', '-6 addr add fd00:56::11/64 dev eth0 mngtmpaddr valid_lft 86400 preferred_lft 86400');
  await net.ip('n', '-6 route add default dev eth0');
  using _ = enterNetns(net.path('n'));
  // The kernel makes the other one in its own time.
  await eventually(async () => assert.notEqual((await sourceAddressTo('2001:db8::1')) ?? 'fd00:56::11', 'fd00:56::11'));
  assert.equal(await ownNodeIp('fd00:56::1'), 'fd00:56::11');
  assert.equal(await ownAddress(6), 'fd00:56::11');
  assert.equal(await ownAddress(4), undefined);
});

test("an agent beside the API server is known by the machine's own address of IPv6, also where it has another in that network", {
  skip: cannotMakeNamespaces,
}, async () => {
  await using net = new Namespaces();
  await net.add('n');
  await net.ip('n', 'link add eth0 type bridge');
  await net.run('n', 'sh', ['-c', 'echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad']);
  await net.ip('n', 'link set eth0 up');
  // The kernel speaks from the one that was added last.
  for (const ip of ['fd00:56::99', 'fd00:56::11']) await net.ip('n', `-6 addr add ${ip}/64 dev eth0`);
  await net.ip('n', '-6 route add default dev eth0');
  using _ = enterNetns(net.path('n'));
  assert.equal(await ownNodeIp('fd00:56::11'), 'fd00:56::11');
  assert.deepEqual(await nodeAddresses({}, [], 'fd00:56::11', 'fd00:56::11'), ['fd00:56::99'], 'who joins there knows that it goes');
});
