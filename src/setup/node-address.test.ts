import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { addressesBeside, chooseAddresses, isFar, type MachineAddresses, networksOf, wishedAddresses } from './node-address.ts';

const own = ['10.0.2.15', '192.168.56.11', '192.168.57.11', 'fd00:56::11', 'fd00:57::11'];

for (const [what, wish, wanted] of [
  ['has no opinion when nothing is wished', {}, []],
  ['takes the address in the network of the nodes', { cidr: '192.168.56.0/24' }, ['192.168.56.11']],
  ['takes the very address before the network', { address: '10.0.2.15', cidr: '192.168.56.0/24' }, ['10.0.2.15']],
  ['takes an address of each family in their order', { address: 'fd00:56::11,192.168.56.11' }, ['fd00:56::11', '192.168.56.11']],
  ['knows an address however it is written', { address: '10.0.2.15, fd00:56:0::0011' }, ['10.0.2.15', 'fd00:56::11']],
  ['takes an address in each network', { cidr: 'fd00:57::/64,192.168.57.0/24' }, ['fd00:57::11', '192.168.57.11']],
  [
    'takes the network of the family of which no address is named',
    { address: '10.0.2.15', cidr: 'fd00:56::/64' },
    ['10.0.2.15', 'fd00:56::11'],
  ],
] as const)
  test(`wishedAddresses() ${what}`, () => assert.deepEqual(wishedAddresses(wish, own), wanted));

for (const [what, wish, message] of [
  ['an address of another machine', { address: '192.168.56.12' }, /"192.168.56.12" .* this machine does not have it/],
  ['a second address of another machine', { address: '10.0.2.15,fd00::1' }, /"fd00::1" .* this machine does not have it/],
  ['two addresses of one family', { address: '10.0.2.15,192.168.56.11' }, /it is not one, or one of each family/],
  ['two networks of one family', { cidr: '10.0.2.0/24,192.168.56.0/24' }, /--node-cidr: it is not one, or one of each family/],
  ['a network that the machine is not in', { cidr: '172.16.0.0/12' }, /it has none in --node-cidr/],
  ['a network with two of its addresses', { cidr: '192.168.0.0/16' }, /192.168.56.11 and 192.168.57.11 are both/],
  ['what is no network', { cidr: '192.168.56.11' }, /it is no range/],
] as const)
  test(`wishedAddresses() refuses ${what}`, () => assert.throws(() => wishedAddresses(wish, own), { message }));

test('networksOf() are those of the links that have the addresses', () => {
  // Loopback is on every machine.
  assert.deepEqual(networksOf(['127.0.0.1', '192.0.2.1']), ['127.0.0.0/8']);
});

test('networksOf() finds that of an address of DHCPv6 by the others on its link', () => {
  const of = (...cidrs: string[]): { address: string; cidr: string }[] =>
    cidrs.map((cidr) => ({ address: cidr.split('/')[0] ?? '', cidr }));
  const ofDhcp = of('192.168.56.11/24', 'fd00:56::11/128');
  const own = ['192.168.56.11', 'fd00:56::11'];
  assert.deepEqual(networksOf(own, { eth1: [...ofDhcp, ...of('fe80::1/64', 'fd00:56::aa:1/64')] }), ['192.168.56.0/24', 'fd00:56::/64']);
  // Of another link, and of none at all.
  const elsewhere = { eth1: ofDhcp, eth2: of('fd00:56::bb:1/64') };
  assert.deepEqual(networksOf(own, elsewhere), ['192.168.56.0/24', 'fd00:56::11/128']);
});

for (const [ip, networks, wanted] of [
  ['192.168.56.12', ['192.168.56.0/24'], false],
  ['192.168.57.12', ['192.168.56.0/24'], true],
  ['fd00:57::12', ['192.168.56.0/24'], false],
  ['fd00:57::12', ['192.168.56.0/24', 'fd00:56::/64'], true],
  // DHCPv6 says nothing of the network.
  ['fd00:56::12', ['192.168.56.0/24', 'fd00:56::11/128'], false],
  ['10.0.0.2', ['10.0.0.1/32'], true],
] as const)
  test(`isFar() has ${ip} ${wanted ? 'on another link' : 'not on another link'} where the node is in ${networks.join(' and ')}`, () =>
    assert.equal(isFar(ip, networks), wanted));

const links = [['10.0.2.15', 'fd00:2::15'], ['192.168.56.11', 'fd00:56::11', 'fd00:56::12'], ['192.168.57.11']];

for (const [first, family, wanted] of [
  ['192.168.56.11', 6, ['fd00:56::11', 'fd00:56::12']],
  ['fd00:56::12', 4, ['192.168.56.11']],
  // No link has both.
  ['192.168.57.11', 6, ['fd00:2::15', 'fd00:56::11', 'fd00:56::12']],
  [undefined, 4, ['10.0.2.15', '192.168.56.11', '192.168.57.11']],
] as const)
  test(`addressesBeside() of ${first} has those of IPv${family} on its link first`, () =>
    assert.deepEqual(addressesBeside(first, family, links), wanted));

describe('a machine that speaks IPv6 from a temporary address', () => {
  const machine: MachineAddresses = {
    // As a router gives them: of two networks, and for each another for privacy.
    links: [
      ['10.0.2.15', 'fd00:2::15'],
      ['192.168.56.11', 'fd00:56::11', 'fd00:56::99', 'fd00:57::11', 'fd00:57::99'],
    ],
    temporary: new Set(['fd00:56::99', 'fd00:57::99']),
    sourceTo: async (host) => (host.includes(':') ? 'fd00:57::99' : '192.168.56.11'),
  };

  for (const [what, wish, families, host, wanted] of [
    ['beside one of IPv4', {}, [4, 6], undefined, ['192.168.56.11', 'fd00:57::11']],
    ['as the first, by the way to the control plane', {}, [6], 'fd00:57::1', ['fd00:57::11']],
    ['in a network that was named', { cidr: 'fd00:56::/64' }, [6], undefined, ['fd00:56::11']],
    ['beside one that was named', { address: '192.168.56.11' }, [4, 6], undefined, ['192.168.56.11', 'fd00:57::11']],
  ] as const)
    test(`is known by one that stays ${what}`, async () => assert.deepEqual(await chooseAddresses(machine, wish, families, host), wanted));

  test('is known by that where somebody says so', async () =>
    assert.deepEqual(await chooseAddresses(machine, { address: 'fd00:56::99' }, [6]), ['fd00:56::99']));

  test('and has no other is known by that', async () => {
    const temporary = new Set(machine.links.flat().filter((ip) => ip.includes(':')));
    assert.deepEqual(await chooseAddresses({ ...machine, temporary }, {}, [], 'fd00:57::1'), ['fd00:57::99']);
  });
});

describe('a machine that has the address of the control plane now', () => {
  const vip = 'fd00:56::50';
  const machine: MachineAddresses = {
    links: [['192.168.56.11', 'fd00:57::11', vip, 'fd00:56::99', 'fd00:56::11']],
    temporary: new Set(['fd00:56::99']),
    // The kernel speaks from the one that was added last.
    sourceTo: async (host) => (host.includes(':') ? vip : '192.168.56.11'),
  };

  for (const [what, wish, families, host] of [
    ['as the only one', {}, [6], undefined],
    ['beside one of IPv4', {}, [4, 6], undefined],
    ['in a network that was named', { cidr: 'fd00:56::/64' }, [6], undefined],
    ['when it joins there', {}, [6], vip],
  ] as const)
    test(`is known by its own of that network ${what}`, async () => {
      assert.equal((await chooseAddresses(machine, wish, families, host, vip)).at(-1), 'fd00:56::11');
    });

  test('is known by that where it has no other there, or somebody says so', async () => {
    const links = [['fd00:57::11', vip]];
    assert.deepEqual(await chooseAddresses({ ...machine, links, sourceTo: async () => vip }, {}, [6], undefined, vip), [vip]);
    assert.deepEqual(await chooseAddresses(machine, { address: vip }, [6], undefined, vip), [vip]);
  });

  test('stays known by the one before, as long as it has that and nobody says otherwise', async () => {
    const choose = (wish: object): Promise<string[]> => chooseAddresses(machine, wish, [6], undefined, vip);
    assert.deepEqual(await choose({ before: 'fd00:57::11' }), ['fd00:57::11']);
    assert.deepEqual(await choose({ before: '192.168.56.11,fd00:57::11' }), ['192.168.56.11', 'fd00:57::11'], 'of each family');
    assert.deepEqual(await choose({ before: '192.168.56.12,fd00:57::11' }), ['fd00:57::11'], 'as far as it has them');
    assert.deepEqual(await choose({ before: 'fd00:57::12' }), ['fd00:56::11']);
    assert.deepEqual(await choose({ before: 'fd00:57::11', address: 'fd00:56::11' }), ['fd00:56::11']);
    assert.deepEqual(await choose({ before: 'fd00:57::11', cidr: 'fd00:56::/64' }), ['fd00:56::11']);
  });
});
