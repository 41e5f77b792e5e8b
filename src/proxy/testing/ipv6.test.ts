import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inIpv6 } from './ipv6.ts';

const cases: readonly [text: string, inIpv6: string][] = [
  ['10.244.1.2', 'fd00:10:244:1::2'],
  ['10.96.0.100', 'fd00:10:96::100'],
  ['10.96.0.0/16', 'fd00:10:96::/48'],
  ['10.244.1.0/24', 'fd00:10:244:1::/64'],
  ['addr add 192.168.120.11/24', 'addr add fd00:192:168:120::11/64'],
  ['192.168.120.11/32', 'fd00:192:168:120::11/128'],
  ['0.0.0.0/0', '::/0'],
  ['127.0.0.1', '::1'],
  ['10.244.1.2:8080', 'fd00:10:244:1::2:8080'],
  ['FrontendReserved default/api 192.168.120.12 . tcp . 8443', 'FrontendReserved default/api fd00:192:168:120::12 . tcp . 8443'],
  ['IPv4', 'IPv6'],
  ['v1.2.3', 'v1.2.3'],
  ['fd00::1', 'fd00::1'],
];
for (const [text, translated] of cases) test(`"${text}" is "${translated}" in IPv6`, () => assert.equal(inIpv6(text), translated));

test('addresses deep inside are, too, and other values stay as they are', () => {
  assert.deepEqual(inIpv6({ a: [{ ip: '10.0.0.1', port: 80 }], b: null, c: undefined }), {
    a: [{ ip: 'fd00:10::1', port: 80 }],
    b: null,
    c: undefined,
  });
});
