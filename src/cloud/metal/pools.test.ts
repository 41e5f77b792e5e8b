import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { formatLabelSelector } from '../../api/selector/label.ts';
import { isKnownError } from '../../errors/known-error.ts';
import { isBuggy, parseRange, poolHas, poolOfRanges, rangeHas, readPools } from './pools.ts';

describe('parseRange()', () => {
  for (const [text, inside, outside] of [
    ['192.0.2.10-192.0.2.20', ['192.0.2.10', '192.0.2.20'], ['192.0.2.9', '192.0.2.21', '::1']],
    ['192.0.2.10 - 192.0.2.10', ['192.0.2.10'], ['192.0.2.11']],
    ['192.0.2.16/28', ['192.0.2.16', '192.0.2.31'], ['192.0.2.15', '192.0.2.32']],
    ['192.0.2.7', ['192.0.2.7'], ['192.0.2.8']],
    ['fd00::10-fd00::1f', ['fd00::10', 'fd00::1f'], ['fd00::20', '192.0.2.1']],
  ] as const)
    test(`reads ${text}`, () => {
      const range = parseRange(text);
      assert.ok(range);
      for (const ip of inside) assert.ok(rangeHas(range, ip), ip);
      for (const ip of outside) assert.ok(!rangeHas(range, ip), ip);
    });

  for (const text of ['', 'x', '192.0.2.20-192.0.2.10', '192.0.2.1-fd00::1', '192.0.2.1-192.0.2.2-192.0.2.3', '192.0.2.0/33'])
    test(`does not read "${text}"`, () => assert.equal(parseRange(text), undefined));
});

test('.0 and .255 are what old routers mistake, in IPv4 alone', () => {
  assert.deepEqual(['192.0.2.0', '192.0.2.255', '192.0.2.10', '192.0.2.25', 'fd00::', 'fd00::255'].map(isBuggy), [
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
  const [pool] = readPools(parse('address-pools: [{name: a, addresses: [192.0.2.0/24], avoid-buggy-ips: true}]'));
  assert.ok(pool);
  assert.deepEqual([poolHas(pool, '192.0.2.0'), poolHas(pool, '192.0.2.1')], [false, true]);
});

describe('readPools()', () => {
  test("reads MetalLB's file, with its presets", () => {
    const text = `
address-pools:
- name: default
  protocol: layer2
  addresses: [192.0.2.240-192.0.2.250, fd00::/120]
- name: costly
  protocol: routed
  addresses: [198.51.100.0/28]
  auto-assign: false
  avoid-buggy-ips: true
  service-allocation:
    priority: 50
    namespaces: [shop]
    namespace-selectors: [{match-labels: {tier: gold}}]
    service-selectors: [{match-labels: {exposed: "yes"}, match-expressions: [{key: old, operator: DoesNotExist}]}]
  node-selectors: [{match-labels: {rack: "1"}}]
  interfaces: [eth1, eth2]
`;
    const [first, second] = readPools(parse(text));
    assert.deepEqual(
      first?.ranges.map((range) => [range.family, range.text]),
      [
        [4, '192.0.2.240-192.0.2.250'],
        [6, 'fd00::/120'],
      ],
    );
    const { ranges: _, ...rest } = first ?? {};
    assert.deepEqual(rest, {
      name: 'default',
      protocol: 'layer2',
      autoAssign: true,
      avoidBuggyIps: false,
      priority: 0,
      namespaces: undefined,
      namespaceSelectors: undefined,
      serviceSelectors: undefined,
      nodeSelectors: undefined,
      interfaces: undefined,
    });
    assert.ok(second);
    const { ranges: __, namespaceSelectors, serviceSelectors, nodeSelectors, ...costly } = second;
    assert.deepEqual(
      [namespaceSelectors, serviceSelectors, nodeSelectors].map((list) => list?.map(formatLabelSelector)),
      [['tier=gold'], ['exposed=yes,!old'], ['rack=1']],
    );
    assert.deepEqual(costly, {
      name: 'costly',
      protocol: 'routed',
      autoAssign: false,
      avoidBuggyIps: true,
      priority: 50,
      namespaces: ['shop'],
      interfaces: ['eth1', 'eth2'],
    });
  });

  test('an empty file has no pools', () => {
    assert.deepEqual(readPools(parse('')), []);
    assert.deepEqual(poolOfRanges([]), []);
    assert.equal(poolOfRanges(['192.0.2.1'])[0]?.name, 'default');
  });

  for (const [text, why] of [
    ['[]', 'the file has no fields'],
    ['peers: []', 'the file has a field "peers"'],
    ['address-pools: {}', '"address-pools" is no list'],
    ['address-pools: [{addresses: [192.0.2.1]}]', 'pool 1 has no name'],
    ['address-pools: [{name: a}]', 'pool "a" has no addresses'],
    ['address-pools: [{name: a, addresses: [x]}]', '"x" of pool "a" is neither a range nor a CIDR'],
    ['address-pools: [{name: a, addresses: [192.0.2.1], protocol: bgp}]', 'protocol "bgp", which nobody speaks here'],
    ['address-pools: [{name: a, addresses: [192.0.2.1], protocol: l2}]', 'protocol "l2", not layer2 or routed'],
    ['address-pools: [{name: a, addresses: [192.0.2.1], autoassign: false}]', 'pool "a" has a field "autoassign"'],
    ['address-pools: [{name: a, addresses: [192.0.2.1], auto-assign: "no"}]', 'a choice of pool "a" is neither true nor false'],
    ['address-pools: [{name: a, addresses: [192.0.2.1], service-allocation: {priority: -1}}]', 'the priority of pool "a"'],
    ['address-pools: [{name: a, addresses: [192.0.2.1], service-allocation: {namespaces: x}}]', 'namespaces of pool "a" are no list'],
    ['address-pools: [{name: a, addresses: [192.0.2.1], interfaces: eth1}]', 'interfaces of pool "a" are no list'],
    ['address-pools: [{name: a, addresses: [192.0.2.1]}, {name: a, addresses: [192.0.2.2]}]', 'there are two pools "a"'],
    [
      'address-pools: [{name: a, addresses: [192.0.2.0/28]}, {name: b, addresses: [192.0.2.15-192.0.2.20]}]',
      '"192.0.2.15-192.0.2.20" of pool "b" overlaps "192.0.2.0/28" of pool "a"',
    ],
  ] as const)
    test(`refuses ${text}`, () => {
      assert.throws(
        () => readPools(parse(text)),
        (err) => isKnownError(err, 'BAD_CONFIG') && err.message.includes(why),
      );
    });
});
