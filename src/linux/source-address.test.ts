import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { enterNetns } from './netns.ts';
import { addressForOthers, sourceAddressTo } from './source-address.ts';
import { cannotMakeNamespaces, Namespaces } from './testing/namespaces.ts';

describe('addressForOthers()', () => {
  const [four, six] = ['192.168.56.11', 'fd00::11'];
  const cases: readonly [what: string, ways: Readonly<Record<string, string>>, own: readonly string[], wanted: string | undefined][] = [
    ['the way to the host first', { host: '10.0.0.1', '192.0.2.1': four, '2001:db8::1': six }, [four, six], '10.0.0.1'],
    ['the default route of IPv4 next', { '192.0.2.1': '10.0.0.2', '2001:db8::1': six }, [four, six], '10.0.0.2'],
    ['an address of IPv4 before a default route of IPv6', { '2001:db8::1': six }, [four, six], four],
    ['the default route of IPv6 where there is no IPv4', { '2001:db8::1': six }, ['fd00::12', six], six],
    ['the first address without a route', {}, ['fd00::12', six], 'fd00::12'],
    ['nothing where there is none', {}, [], undefined],
  ];
  for (const [what, ways, own, wanted] of cases)
    test(`takes ${what}`, async () => {
      assert.equal(await addressForOthers(['host'], own, async (host) => ways[host]), wanted);
    });
});

describe('sourceAddressTo()', { skip: cannotMakeNamespaces }, () => {
  test('follows the routes, and knows of no way that stays on the machine', async () => {
    await using net = new Namespaces();
    await net.add('n');
    for (const [link, address] of [
      ['eth0', '10.0.2.15'],
      ['eth1', '192.168.56.11'],
    ]) {
      await net.ip('n', `link add ${link} type bridge`);
      await net.ip('n', `addr add ${address}/24 dev ${link}`);
      await net.ip('n', `link set ${link} up`);
    }
    using _ = enterNetns(net.path('n'));
    assert.equal(await sourceAddressTo('192.168.56.1'), '192.168.56.11');
    assert.equal(await sourceAddressTo('192.0.2.1'), undefined);
    for (const own of ['127.0.0.1', '192.168.56.11', '::1', 'fd00::1']) assert.equal(await sourceAddressTo(own), undefined, own);
    await net.ip('n', 'route add default dev eth0');
    assert.equal(await sourceAddressTo('192.0.2.1'), '10.0.2.15');
  });
});
