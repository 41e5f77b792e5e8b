import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mustCidr } from '../../ip/ip.ts';
import { type Allowed, parseAllowed, whyClosed } from './destination.ts';
import { openAddresses, resolveHost, type Way } from './dial.ts';
import { parseFibTrie, parseIpv6Routes } from './own-addresses.ts';

const destinations = {
  lab: ['192.168.120.0/24', '10.244.0.0/16', '100.96.0.0/16'].map(mustCidr),
  own: ['20.0.0.7/32', '20.0.0.255/32', '2600::7/128'].map(mustCidr),
  allowed: [],
};

describe('whyClosed()', () => {
  const cases: [string, string, RegExp | undefined][] = [
    ['the world', '20.0.0.1', undefined],
    ['the world over IPv6', '2600::1', undefined],
    ['the last address before a private range', '9.255.255.255', undefined],
    ['the first address behind one', '11.0.0.0', undefined],
    ['the addresses around 172.16.0.0/12', '172.15.255.255', undefined],
    ['loopback', '127.0.0.1', /loopback/],
    ['the end of loopback', '127.255.255.254', /loopback/],
    ['IPv6 loopback', '::1', /loopback/],
    ['IPv6 loopback in full', '0:0:0:0:0:0:0:1', /loopback/],
    ['loopback mapped into IPv6', '::ffff:127.0.0.1', /in disguise/],
    ['loopback mapped, in hexadecimal', '::ffff:7f00:1', /in disguise/],
    ['loopback mapped, in full', '0:0:0:0:0:FFFF:7F00:0001', /in disguise/],
    ['the world mapped into IPv6', '::ffff:20.0.0.1', /in disguise/],
    ['an IPv4-compatible address', '::7f00:1', /not of the world/],
    ['an IPv4-translated address', '::ffff:0:7f00:1', /not of the world/],
    ['NAT64', '64:ff9b::7f00:1', /NAT64/],
    ['local NAT64', '64:ff9b:1::a9fe:a9fe', /NAT64/],
    ['6to4', '2002:7f00:1::', /6to4/],
    ['the 6to4 relay', '192.88.99.1', /6to4/],
    ['Teredo', '2001:0:7f00:1::', /reserved/],
    ['unspecified', '0.0.0.0', /unspecified/],
    ['another of 0.0.0.0/8', '0.1.2.3', /unspecified/],
    ['IPv6 unspecified', '::', /unspecified/],
    ['a metadata service', '169.254.169.254', /link-local/],
    ['link-local mapped into IPv6', '::ffff:169.254.169.254', /in disguise/],
    ['IPv6 link-local', 'fe80::1', /link-local/],
    ['IPv6 link-local with a zone', 'fe80::1%eth0', /no address/],
    ['site-local', 'fec0::1', /not of the world/],
    ['multicast', '224.0.0.251', /multicast/],
    ['IPv6 multicast', 'ff02::1', /multicast/],
    ['broadcast', '255.255.255.255', /reserved/],
    ['10.0.0.0/8', '10.1.2.3', /private/],
    ['172.16.0.0/12', '172.17.0.1', /private/],
    ['192.168.0.0/16', '192.168.1.1', /private/],
    ['carrier NAT', '100.64.0.1', /private/],
    ['protocol assignments', '192.0.0.1', /reserved/],
    ['an example', '192.0.2.1', /for documentation/],
    ['another example', '198.51.100.1', /for documentation/],
    ['a third one', '203.0.113.1', /for documentation/],
    ['an IPv6 example', '2001:db8::1', /for documentation/],
    ['a newer one', '3fff::1', /for documentation/],
    ['a bench', '198.19.255.255', /for benchmarks/],
    ['unique local', 'fd00:ec2::254', /private/],
    ['a node of the lab', '192.168.120.10', /of this lab/],
    ['a pod of the lab', '10.244.1.2', /of this lab/],
    ['a Service of the lab', '100.96.0.1', /of this lab/],
    ['a node of the lab, mapped', '::ffff:192.168.120.10', /in disguise/],
    ['this machine', '20.0.0.7', /this machine/],
    ['this machine, with leading zeros', '020.000.000.007', /this machine/],
    ['a broadcast address of this machine', '20.0.0.255', /this machine/],
    ['this machine over IPv6, in full', '2600:0:0:0:0:0:0:7', /this machine/],
    ['a name that was not resolved', 'localhost', /no address/],
    ['nothing', '', /no address/],
  ];
  for (const [name, address, want] of cases)
    test(`${want ? 'refuses' : 'lets through'} ${name}`, () => {
      const answer = whyClosed(address, 443, destinations);
      if (want === undefined) assert.equal(answer, undefined);
      else assert.match(answer ?? 'let through', want);
    });

  test('refuses every port but 443', () => {
    for (const port of [0, 22, 80, 6443, 10250]) assert.match(whyClosed('20.0.0.1', port, destinations) ?? '', /is not 443/);
  });

  test('opens what was allowed, but never this machine, its links or the lab', () => {
    const open = { ...destinations, allowed: ['0.0.0.0/0', '::/0'].map(mustCidr) };
    for (const address of ['10.1.2.3', 'fd00::1', '64:ff9b::1400:1']) assert.equal(whyClosed(address, 443, open), undefined);
    for (const address of ['127.0.0.1', '::1', '169.254.169.254', '10.244.1.2', '20.0.0.7', '::ffff:10.1.2.3', '0.0.0.0', 'ff02::1'])
      assert.notEqual(whyClosed(address, 443, open), undefined, address);
  });
});

describe('the address that is connected to', () => {
  const nothing: Allowed = { ranges: [], names: [] };
  const way = (answer: readonly string[], allowed = nothing): Way => ({
    lab: destinations.lab,
    allowed,
    own: async () => destinations.own,
    resolve: async () => answer,
    proxy: undefined,
  });

  test('is the one that was looked at, however the name is answered the next time', async () => {
    const answers = [['20.0.0.1'], ['127.0.0.1']];
    const rebinding: Way = { ...way([]), resolve: async () => answers.shift() ?? [] };
    assert.deepEqual(await openAddresses('registry.example', 443, rebinding), ['20.0.0.1']);
    await assert.rejects(openAddresses('registry.example', 443, rebinding), /loopback/);
  });

  test('is one of those that are open', async () => {
    assert.deepEqual(await openAddresses('registry.example', 443, way(['10.0.0.1', '::ffff:20.0.0.1', '20.0.0.1'])), ['20.0.0.1']);
  });

  test('is canonical, as "0177.0.0.1" is loopback to the C library', async () => {
    assert.deepEqual(await openAddresses('0177.0.0.1', 443, way([])), ['177.0.0.1']);
  });

  test('is none when a name means this machine in whatever spelling', async () => {
    for (const host of ['localhost', '0x7f.1', '2130706433', '127.1'])
      await assert.rejects(openAddresses(host, 443, { ...way([]), resolve: resolveHost }), /loopback/, host);
  });

  test('may be private for a name that was allowed, but not this machine', async () => {
    const allowed = parseAllowed('Registry.Example.');
    assert.ok('names' in allowed);
    assert.deepEqual(await openAddresses('registry.example', 443, way(['10.0.0.1'], allowed)), ['10.0.0.1']);
    await assert.rejects(openAddresses('registry.example', 443, way(['20.0.0.7'], allowed)), /this machine/);
    await assert.rejects(openAddresses('other.example', 443, way(['10.0.0.1'], allowed)), /private/);
  });
});

describe('parseAllowed()', () => {
  test('reads ranges and names', () => {
    const allowed = parseAllowed('10.1.0.0/16,fd00::/8,registry.example');
    assert.ok('names' in allowed);
    assert.deepEqual([allowed.ranges.map((r) => r.text), allowed.names], [['10.1.0.0/16', 'fd00::/8'], ['registry.example']]);
  });
  for (const word of ['10.1.0.0/33', 'a b', 'http://x', '10.1', '-x'])
    test(`names "${word}", which is neither`, () => assert.deepEqual(parseAllowed(`a.example,${word}`), { wrong: word }));
});

describe('what this machine takes for its own', () => {
  test('is what /proc/net/fib_trie calls local, ranges too', () => {
    const text = `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 20.0.0.0/24 2 0 2
           |-- 20.0.0.0
              /24 link UNICAST
           |-- 20.0.0.7
              /32 host LOCAL
        |-- 20.0.0.255
           /32 link BROADCAST
     |-- 21.0.0.0
        /24 host LOCAL
        /16 universe UNICAST
`;
    assert.deepEqual(
      parseFibTrie(text).map((c) => c.text),
      ['20.0.0.7/32', '20.0.0.255/32', '21.0.0.0/24'],
    );
  });

  test('is what /proc/net/ipv6_route flags as local', () => {
    const zero = '0'.repeat(32);
    const line = (destination: string, prefix: string, flags: string): string =>
      `${destination} ${prefix} ${zero} 00 ${zero} 00000000 00000001 00000000 ${flags}     eth0`;
    const text = [
      line('26000000000000000000000000000000', '40', '00000001'),
      line('26000000000000000000000000000007', '80', '80200001'),
      line('fe800000000000000000000000000000', '80', '00300001'),
    ].join('\n');
    assert.deepEqual(
      parseIpv6Routes(text).map((c) => c.text),
      ['2600::7/128', 'fe80::/128'],
    );
  });
});
