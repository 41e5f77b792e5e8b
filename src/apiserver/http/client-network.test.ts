import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { clientNetwork } from './client-network.ts';

describe('clientNetwork()', () => {
  for (const [address, network] of [
    ['10.0.0.1', '10.0.0.1'],
    ['::ffff:10.0.0.1', '::ffff:10.0.0.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8:1:2::1', '2001:db8:1:2'],
    ['2001:db8:1:2::', '2001:db8:1:2'],
    ['2001:db8:1::1', '2001:db8:1:0'],
    ['2001:db8::1:0:0:1', '2001:db8:0:0'],
    ['2001:db8::7:1:0:0:1', '2001:db8:0:7'],
    ['2001::', '2001:0:0:0'],
    ['::1', '0:0:0:0'],
    ['::1:2:3:4:5', '0:0:0:1'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    ['', ''],
  ] as const)
    test(`of ${address || 'none'} is ${network || 'none'}`, () => assert.equal(clientNetwork(address), network));
});
