import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  bigIntToIp,
  bytesToIp,
  cidrBytes,
  cidrContains,
  cidrOverlaps,
  familyOf,
  ipToBigInt,
  ipToBytes,
  isIp,
  joinHostPort,
  macOfIp,
  mustCidr,
  nthIp,
  nthSubnet,
  parseCidr,
  parseIp,
  reverseName,
} from './ip.ts';

test('parseIp() gives one text for every spelling of an address', () => {
  for (const [text, want] of [
    ['10.0.0.1', '10.0.0.1'],
    ['010.000.0.1', '10.0.0.1'],
    ['::1', '::1'],
    ['FD00:0:0::1', 'fd00::1'],
    ['fd00:10:244:0:0:0:0:5', 'fd00:10:244::5'],
    ['10.0.0', undefined],
    ['10.0.0.256', undefined],
    ['', undefined],
    ['host', undefined],
  ] as const) {
    assert.equal(parseIp(text), want, text);
  }
});

test('joinHostPort() puts an IPv6 address in brackets', () => {
  assert.deepEqual(
    [joinHostPort('10.0.0.1', 53), joinHostPort('fd00::1', 53), joinHostPort('a.example', '443')],
    ['10.0.0.1:53', '[fd00::1]:53', 'a.example:443'],
  );
});

test('bytes of an address round-trip in both families', () => {
  for (const ip of ['10.96.0.10', '255.255.255.255', 'fd00:10:96::a', '::']) assert.equal(bytesToIp(ipToBytes(ip)), ip);
});

test('parseCidr() clears host bits and refuses what is no range', () => {
  assert.equal(parseCidr('10.244.1.7/24')?.text, '10.244.1.0/24');
  assert.equal(parseCidr('10.1.2.3')?.text, '10.1.2.3/32');
  assert.equal(parseCidr('fd00:10:244::1/56')?.text, 'fd00:10:244::/56');
  for (const bad of ['10.0.0.0/33', '10.0.0.0/', 'x/8', '10.0.0.0/8/8', '::/129']) assert.equal(parseCidr(bad), undefined, bad);
});

test('bytes become the text that their address has, wherever its zeros are', () => {
  for (let zeros = 0; zeros < 256; zeros++) {
    const groups = Array.from({ length: 8 }, (_, i) => ((zeros >> i) & 1 ? 0 : 0xa0 + i));
    const bytes = Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 255]));
    const text = groups.map((group) => group.toString(16)).join(':');
    assert.equal(bytesToIp(bytes), parseIp(text), text);
  }
  // RFC 5952, section 4.2: the longest run of zeros, the first of several, and never a single one.
  assert.equal(bytesToIp(ipToBytes('2001:0:0:1:0:0:0:1')), '2001:0:0:1::1');
  assert.equal(parseIp('2001:db8::1:0:0:1'), '2001:db8::1:0:0:1');
  assert.equal(parseIp('2001:db8::1:1:1:1:1'), '2001:db8:0:1:1:1:1:1');
});

test('ranges know what they hold', () => {
  const c = mustCidr('10.96.0.0/16');
  assert.equal(cidrContains(c, '10.96.255.255'), true);
  assert.equal(cidrContains(c, '10.97.0.0'), false);
  assert.equal(cidrContains(c, 'fd00::1'), false);
  assert.equal(nthIp(c, 10), '10.96.0.10');
  assert.equal(nthIp(c, -1), '10.96.255.255');
  assert.throws(() => nthIp(c, 65536), RangeError);
  assert.equal(nthSubnet(mustCidr('10.244.0.0/16'), 24, 3).text, '10.244.3.0/24');
  assert.throws(() => nthSubnet(mustCidr('10.244.0.0/16'), 24, 256), RangeError);
  assert.equal(cidrOverlaps(mustCidr('10.0.0.0/8'), c), true);
  assert.equal(cidrOverlaps(mustCidr('10.0.0.0/16'), c), false);
});

test('reverseName() is the name a PTR question asks for', () => {
  assert.equal(reverseName('10.96.0.10'), '10.0.96.10.in-addr.arpa');
  assert.equal(reverseName('::1'), `1.${'0.'.repeat(31)}ip6.arpa`);
});

test('familyOf() and isIp() tell what a text is', () => {
  assert.deepEqual([familyOf('10.0.0.1'), familyOf('10.0.0.0/8'), familyOf('::1'), familyOf('fd00::/8')], [4, 4, 6, 6]);
  assert.deepEqual([isIp('10.0.0.1'), isIp('::'), isIp('10.0.0.0/8'), isIp('1234')], [true, true, false, false]);
});

test('an IPv4 address in IPv6 is IPv4', () => {
  assert.equal(bytesToIp(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1)), '10.0.0.1');
  assert.equal(bytesToIp(Uint8Array.of(0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1)), '1::ffff:a00:1');
});

test('ipToBytes() refuses what is no address, by name', () => {
  assert.throws(() => ipToBytes('x'), /^RangeError: Cannot read "x": not an IP address$/);
  assert.deepEqual([...ipToBytes('255.0.1.2')], [255, 0, 1, 2]);
  assert.equal(ipToBytes('::1').length, 16);
});

const numbers: readonly [ip: string, value: bigint][] = [
  ['0.0.0.0', 0n],
  ['0.0.1.2', 258n],
  ['255.255.255.255', 0xffffffffn],
  ['2::', 2n << 112n],
  ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', (1n << 128n) - 1n],
];
for (const [ip, value] of numbers)
  test(`${ip} is the number ${value}, both ways`, () => {
    assert.equal(ipToBigInt(ip), value);
    assert.equal(bigIntToIp(value, familyOf(ip)), ip);
  });

describe('parseCidr()', () => {
  const cases: readonly [text: string, base: string, prefix: number, last: string][] = [
    ['10.244.1.7/24', '10.244.1.0', 24, '10.244.1.255'],
    ['10.1.2.3/32', '10.1.2.3', 32, '10.1.2.3'],
    ['10.1.2.3', '10.1.2.3', 32, '10.1.2.3'],
    ['10.1.2.3/0', '0.0.0.0', 0, '255.255.255.255'],
    [' 10.128.0.0/9 ', '10.128.0.0', 9, '10.255.255.255'],
    ['fd00:1:2:3ff::1/56', 'fd00:1:2:300::', 56, 'fd00:1:2:3ff:ffff:ffff:ffff:ffff'],
    ['2001:db8::1', '2001:db8::1', 128, '2001:db8::1'],
    ['::/0', '::', 0, 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ];
  for (const [text, base, prefix, last] of cases)
    test(`reads "${text}"`, () => {
      const family = familyOf(base);
      const wanted = { family, base, prefix, first: ipToBigInt(base), last: ipToBigInt(last), text: `${base}/${prefix}` };
      assert.deepEqual(parseCidr(text), wanted);
    });

  for (const text of [
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/',
    '10.0.0.0/x',
    '10.0.0.0/1e1',
    'x/8',
    '10.0.0.0/8/8',
    '::/129',
    '::/1000',
    '',
  ])
    test(`refuses "${text}"`, () => {
      assert.equal(parseCidr(text), undefined);
      assert.throws(() => mustCidr(text), { name: 'RangeError', message: `Cannot read "${text}": not a CIDR such as 10.0.0.0/16` });
    });
});

describe('ranges', () => {
  const contained: readonly [cidr: string, ip: string, contains: boolean][] = [
    ['10.244.1.0/24', '10.244.1.0', true],
    ['10.244.1.0/24', '10.244.1.255', true],
    ['10.244.1.0/24', '10.244.0.255', false],
    ['10.244.1.0/24', '10.244.2.0', false],
    ['10.244.1.4/30', '10.244.1.7', true],
    ['10.244.1.4/30', '10.244.1.8', false],
    ['0.0.0.0/0', '255.255.255.255', true],
    ['0.0.0.0/0', '::', false],
    ['::/0', '10.0.0.1', false],
    ['fd00::/64', 'fd00::ffff:ffff:ffff:ffff', true],
    ['fd00::/64', 'fd00:0:0:1::', false],
    ['fd00::1/128', 'fd00::1', true],
    ['fd00::1/128', 'fd00::', false],
  ];
  for (const [cidr, ip, contains] of contained)
    test(`${cidr} ${contains ? 'contains' : 'does not contain'} ${ip}`, () => assert.equal(cidrContains(mustCidr(cidr), ip), contains));

  test('contain nothing that is no address', () => {
    assert.throws(() => cidrContains(mustCidr('10.0.0.0/8'), '10.0.0'), {
      name: 'RangeError',
      message: 'Cannot read "10.0.0": not an IP address',
    });
  });

  const pairs: readonly [a: string, b: string, overlap: boolean][] = [
    ['10.0.0.0/24', '10.0.0.255/32', true],
    ['10.0.0.0/24', '10.0.1.0/24', false],
    ['10.0.1.0/24', '10.0.0.0/23', true],
    ['0.0.0.0/0', '::/0', false],
    ['fd00::/16', 'fd00:1::/32', true],
  ];
  for (const [a, b, overlap] of pairs)
    test(`${a} and ${b} ${overlap ? 'overlap' : 'do not overlap'}`, () => {
      assert.equal(cidrOverlaps(mustCidr(a), mustCidr(b)), overlap);
      assert.equal(cidrOverlaps(mustCidr(b), mustCidr(a)), overlap);
    });

  test('are counted from both ends, and not beyond', () => {
    const range = mustCidr('10.0.0.0/30');
    assert.deepEqual(
      [0, 3, -1, -4].map((n) => nthIp(range, n)),
      ['10.0.0.0', '10.0.0.3', '10.0.0.3', '10.0.0.0'],
    );
    for (const n of [4, -5])
      assert.throws(() => nthIp(range, n), { message: `Cannot take address ${n} of 10.0.0.0/30: outside the range` });
    assert.equal(nthIp(mustCidr('fd00::/64'), 2 ** 40), 'fd00::100:0:0');
  });

  test('are cut into smaller ones', () => {
    assert.equal(nthSubnet(mustCidr('10.0.0.0/8'), 8, 0).text, '10.0.0.0/8');
    assert.equal(nthSubnet(mustCidr('10.0.0.0/31'), 32, 1).text, '10.0.0.1/32');
    assert.equal(nthSubnet(mustCidr('10.244.0.0/16'), 24, 255).text, '10.244.255.0/24');
    assert.equal(nthSubnet(mustCidr('fd00::/48'), 64, 0x1234).text, 'fd00:0:0:1234::/64');
    assert.equal(nthSubnet(mustCidr('fd00::/64'), 128, 2).text, 'fd00::2/128');
    assert.throws(() => nthSubnet(mustCidr('10.0.0.0/16'), 15, 0), {
      message: 'Cannot take /15 number 0 of 10.0.0.0/16: outside the range',
    });
    assert.throws(() => nthSubnet(mustCidr('10.0.0.0/16'), 24, 256), RangeError);
  });
});

test('reverseName() has each half of a byte of an IPv6 address, the last first', () => {
  assert.equal(reverseName('2001:db8::fe'), `e.f.${'0.'.repeat(22)}8.b.d.0.1.0.0.2.ip6.arpa`);
});

test('macOfIp() ends with the last four bytes of the address', () => {
  assert.equal(macOfIp('10.244.1.2'), '0a:58:0a:f4:01:02');
  assert.equal(macOfIp('10.0.255.16', '0e:58'), '0e:58:0a:00:ff:10');
  assert.equal(macOfIp('fd00::1:203'), '0a:58:00:01:02:03');
});

test('cidrBytes() gives the first address of a range and the length of its prefix, and nothing of what is none', () => {
  const cases: readonly (readonly [string, string | undefined, number?])[] = [
    ['10.1.2.3/16', '10.1.0.0', 16],
    ['10.1.2.255/30', '10.1.2.252', 30],
    ['10.1.2.3', '10.1.2.3', 32],
    ['10.1.2.3/0', '0.0.0.0', 0],
    ['2001:db8:ffff::1/33', '2001:db8:8000::', 33],
    ['::1', '::1', 128],
    ['10.1.2.3/33', undefined],
    ['10.1.2.3/8/8', undefined],
    ['10.1.2/8', undefined],
    ['10.1.2.256/8', undefined],
    ['::1/129', undefined],
    ['10.1.2.3/', undefined],
  ];
  for (const [text, base, prefix] of cases) {
    const read = cidrBytes(text);
    assert.equal(read && bytesToIp(read.bytes), base, text);
    assert.equal(read?.prefix, prefix, text);
  }
});
