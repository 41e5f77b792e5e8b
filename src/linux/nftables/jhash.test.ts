import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipToBytes } from '../../ip/ip.ts';
import { jhash, scale } from './jhash.ts';

// As Linux 6.18 answered to `jhash ip saddr mod 65536 seed 0xfa1`, and to the same of ip6.
const fromKernel: readonly [address: string, number: number][] = [
  ['10.244.1.100', 0x67e4],
  ['192.168.120.1', 0xf2a1],
  ['fd00:10:244:1::2', 0x674f],
];
for (const [address, number] of fromKernel)
  test(`jhash() of ${address} is the kernel's`, () => assert.equal(scale(jhash(ipToBytes(address), 0xfa1), 65_536), number));

test('scale() splits each number in two when there are twice as many', () => {
  for (const hash of [0, 1, 0x7fffffff, 0x80000000, 0xffffffff]) assert.equal(Math.floor(scale(hash, 64) / 2), scale(hash, 32));
  assert.equal(scale(0xffffffff, 3), 2);
});
