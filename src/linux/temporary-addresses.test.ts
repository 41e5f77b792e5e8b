import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTemporary } from './temporary-addresses.ts';

test('parseTemporary() has those with the flag, whatever other flags they have', () => {
  const text = `\
00000000000000000000000000000001 01 80 10 80       lo
fd0000560000000000000000000000a1 02 40 00 00     eth0
fd000056000000005c1fe4d8a0b7d7c2 02 40 00 01     eth0
fd000057000000000000000000000b01 10a 40 00 21 enp0s31f6.100
fe80000000000000020c29fffe000001 02 40 20 80     eth0
`;
  assert.deepEqual([...parseTemporary(text)], ['fd00:56::5c1f:e4d8:a0b7:d7c2', 'fd00:57::b01']);
  assert.deepEqual([...parseTemporary('')], []);
});
