import assert from 'node:assert/strict';
import { test } from 'node:test';
import { networksBefore, otherNetworkOf } from './setup-runtime.ts';

test('networksBefore() are those that the runtime reads, and that come before ours', () => {
  const names = [
    '10-flannel.conflist',
    '10-calico.conflist',
    '05-cilium.conf',
    '00-a.json',
    '10-fairlead.conflist',
    'README',
    '00-x.conflist.bak',
  ];
  assert.deepEqual(networksBefore(names), ['00-a.json', '05-cilium.conf', '10-calico.conflist']);
});

const chain = (...types: string[]): unknown => ({ name: 'generic-veth', plugins: types.map((type) => ({ type })) });
for (const [what, config, members, leadsToOurs] of [
  ['another network', chain('calico', 'portmap'), ['calico', 'portmap'], false],
  ['another network of one plugin', { type: 'flannel' }, ['flannel'], false],
  ['a chain of Cilium that begins with ours', chain('fairlead', 'cilium-cni'), ['fairlead', 'cilium-cni'], true],
  ['Multus with our list', { type: 'multus', delegates: [chain('fairlead')] }, ['multus', 'fairlead'], true],
  [
    'Multus with our plugin',
    { type: 'multus', delegates: [{ type: 'fairlead' }, { type: 'macvlan' }] },
    ['multus', 'fairlead', 'macvlan'],
    true,
  ],
  ['Multus with another list', { type: 'multus', delegates: [chain('calico')] }, ['multus', 'calico'], false],
  [
    'Multus with the path of our file',
    { type: 'multus-shim', clusterNetwork: '/host/etc/cni/net.d/10-fairlead.conflist' },
    ['multus-shim'],
    true,
  ],
  ['Multus with the name of our network', { type: 'multus', clusterNetwork: 'fairlead' }, ['multus'], true],
  [
    'Multus with the path of another',
    { type: 'multus-shim', clusterNetwork: '/host/etc/cni/net.d/10-calico.conflist' },
    ['multus-shim'],
    false,
  ],
  ['Multus in a list, whose daemon knows', { plugins: [{ type: 'multus-shim' }] }, ['multus-shim'], undefined],
  ['nothing of a network', [], [], false],
  ['no object', null, [], false],
  ['plugins that are no list', { plugins: null }, [], false],
  ['plugins that are none', { plugins: [null, 5, { type: 'calico' }] }, ['calico'], false],
  ['a type that is no text', { type: 5 }, [], false],
  ['delegates that are none', { type: 'multus', delegates: [null, { plugins: {} }] }, ['multus'], false],
  ['delegates that are no list', { type: 'multus', delegates: 5 }, ['multus'], false],
  ['a name that is no text', { type: 'multus', clusterNetwork: 5, delegates: [] }, ['multus'], false],
] as const)
  test(`otherNetworkOf() knows ${what}`, () => {
    assert.deepEqual(otherNetworkOf('/x.conf', JSON.stringify(config)), { path: '/x.conf', members, leadsToOurs });
  });

test('otherNetworkOf() takes what is no JSON for another network', () => {
  assert.deepEqual(otherNetworkOf('/x.conf', '{'), { path: '/x.conf', members: [], leadsToOurs: false });
});
