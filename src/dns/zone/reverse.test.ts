import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mustCidr } from '../../ip/ip.ts';
import { ReverseRange, reverseAddress } from './reverse.ts';

const nibbles = '7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6.9.0.0.0.1.0.0.0.0.d.f';

for (const [name, wanted] of [
  ['7.0.96.10.in-addr.arpa', '10.96.0.7'],
  ['0.96.10.in-addr.arpa', undefined],
  ['1.7.0.96.10.in-addr.arpa', undefined],
  ['256.0.96.10.in-addr.arpa', undefined],
  ['1000.0.96.10.in-addr.arpa', undefined],
  ['x.0.96.10.in-addr.arpa', undefined],
  ['x7.0.96.10.in-addr.arpa', undefined],
  ['7x.0.96.10.in-addr.arpa', undefined],
  ['in-addr.arpa', undefined],
  [`${nibbles}.ip6.arpa`, 'fd00:10:96::7'],
  [`${nibbles.slice(2)}.ip6.arpa`, undefined],
  [`1.${nibbles}.ip6.arpa`, undefined],
  [`g${nibbles.slice(1)}.ip6.arpa`, undefined],
  [`77${nibbles.slice(1)}.ip6.arpa`, undefined],
  [`${nibbles}.ip6.example`, undefined],
  ['ip6.arpa', undefined],
] as const) {
  test(`reverseAddress() of ${name} is ${wanted ?? 'no address'}`, () => assert.equal(reverseAddress(name), wanted));
}

for (const [cidr, zone] of [
  ['10.96.0.0/16', '96.10.in-addr.arpa'],
  ['10.96.0.0/12', '10.in-addr.arpa'],
  ['10.96.1.0/24', '1.96.10.in-addr.arpa'],
  ['10.96.1.7/32', '7.1.96.10.in-addr.arpa'],
  ['fd00::/8', 'd.f.ip6.arpa'],
  ['fd00::/10', 'd.f.ip6.arpa'],
] as const) {
  test(`the reverse names of ${cidr} live in ${zone}`, () => assert.equal(new ReverseRange(mustCidr(cidr)).zone, zone));
}

/** Range, name, the address that it stands for, whether the range holds it. */
const table: readonly (readonly [string, string, string | undefined, boolean])[] = [
  ['10.96.0.0/16', '7.0.96.10.in-addr.arpa', '10.96.0.7', true],
  ['10.96.0.0/16', '7.0.97.10.in-addr.arpa', '10.97.0.7', false],
  ['10.96.0.0/16', '0.96.10.in-addr.arpa', undefined, true],
  ['10.96.0.0/16', '96.10.in-addr.arpa', undefined, true],
  ['10.96.0.0/16', '196.10.in-addr.arpa', undefined, false],
  ['10.96.0.0/16', '10.in-addr.arpa', undefined, false],
  ['10.96.0.0/12', '7.0.97.10.in-addr.arpa', '10.97.0.7', true],
  // Others have names there, too.
  ['10.96.0.0/12', '96.10.in-addr.arpa', undefined, false],
  ['fd00::/16', '1.0.0.d.f.ip6.arpa', undefined, true],
  ['fd00::/16', '0.0.d.f.ip6.arpa', undefined, true],
  ['fd00::/16', '0.1.d.f.ip6.arpa', undefined, false],
  ['fd00::/16', 'd.f.ip6.arpa', undefined, false],
];
for (const [cidr, name, ip, holds] of table) {
  test(`${cidr} ${holds ? 'holds' : 'does not hold'} ${name}`, () => assert.equal(new ReverseRange(mustCidr(cidr)).holds(name, ip), holds));
}
