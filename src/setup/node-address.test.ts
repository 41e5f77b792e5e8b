import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wishedAddress } from './node-address.ts';

const own = ['10.0.2.15', '192.168.56.11', '192.168.57.11'];

test('wishedAddress() has no opinion when nothing is wished', () => assert.equal(wishedAddress({}, own), undefined));

test('wishedAddress() takes the address in the network of the nodes', () => {
  assert.equal(wishedAddress({ cidr: '192.168.56.0/24' }, own), '192.168.56.11');
});

test('wishedAddress() takes the very address before the network', () => {
  assert.equal(wishedAddress({ address: '10.0.2.15', cidr: '192.168.56.0/24' }, own), '10.0.2.15');
});

for (const [what, wish, message] of [
  ['an address of another machine', { address: '192.168.56.12' }, /this machine does not have it/],
  ['a network that the machine is not in', { cidr: '172.16.0.0/12' }, /it has none in --node-cidr/],
  ['a network with two of its addresses', { cidr: '192.168.0.0/16' }, /192.168.56.11 and 192.168.57.11 are both/],
  ['what is no network', { cidr: '192.168.56.11' }, /it is no range/],
] as const)
  test(`wishedAddress() refuses ${what}`, () => assert.throws(() => wishedAddress(wish, own), { message }));
