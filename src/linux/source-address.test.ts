import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { enterNetns } from './netns.ts';
import { sourceAddressTo } from './source-address.ts';
import { cannotMakeNamespaces, Namespaces } from './testing/namespaces.ts';

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
