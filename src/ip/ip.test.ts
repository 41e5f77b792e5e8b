import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesToIp, cidrContains, cidrOverlaps, ipToBytes, mustCidr, nthIp, nthSubnet, parseCidr, parseIp, reverseName } from './ip.ts';

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
