import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { addressFamilyOf, socketAddress } from './socket-address.ts';

describe('socketAddress()', () => {
  for (const [ip, port, family, hex] of [
    ['192.168.120.11', 8472, 2, '02002118c0a8780b0000000000000000'],
    ['0.0.0.0', 53, 2, '02000035000000000000000000000000'],
    ['fd00::1', 443, 10, '0a0001bb00000000fd00000000000000000000000000000100000000'],
  ] as const)
    test(`of ${ip} and ${port}`, () => {
      assert.equal(addressFamilyOf(ip), family);
      assert.equal(Buffer.from(socketAddress(ip, port)).toString('hex'), hex);
    });

  test('refuses what is no address', () => {
    for (const ip of ['x', '10.0.0', 'fe80::1%eth0']) assert.throws(() => socketAddress(ip, 1), RangeError);
  });
});
