import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatLabelSelector } from '../../api/selector/label.ts';
import { documentsOf } from './documents.ts';
import { readDocuments } from './metallb-objects.ts';
import type { Pool } from './pools.ts';

const read = (text: string): Pool[] => readDocuments(documentsOf(text));
const pool = (name: string, spec: string, labels = '{}'): string =>
  `apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: ${name}, namespace: metallb-system, labels: ${labels}}\nspec: ${spec}\n---\n`;
const advertisement = (spec: string): string =>
  `apiVersion: metallb.io/v1beta1\nkind: L2Advertisement\nmetadata: {name: ad, namespace: metallb-system}\nspec: ${spec}\n---\n`;

describe("MetalLB's objects", () => {
  test('are pools with all that they say, announced as their advertisement has it', () => {
    const text = `${pool(
      'gold',
      `
  addresses: [192.0.2.0/28, fd00::/120]
  autoAssign: false
  avoidBuggyIPs: true
  serviceAllocation:
    priority: 50
    namespaces: [shop]
    namespaceSelectors: [{matchLabels: {tier: gold}}]
    serviceSelectors: [{matchExpressions: [{key: app, operator: In, values: [a, b]}]}]`,
    )}${advertisement('{nodeSelectors: [{matchLabels: {rack: "1"}}, {matchExpressions: [{key: edge, operator: Exists}]}], interfaces: [eth1]}')}`;
    const [gold, ...others] = read(text);
    assert.ok(gold);
    assert.deepEqual(others, []);
    const { ranges, namespaceSelectors, serviceSelectors, nodeSelectors, ...rest } = gold;
    assert.deepEqual(
      ranges.map((range) => range.text),
      ['192.0.2.0/28', 'fd00::/120'],
    );
    assert.deepEqual(
      [namespaceSelectors, serviceSelectors, nodeSelectors].map((list) => list?.map(formatLabelSelector)),
      [['tier=gold'], ['app in (a,b)'], ['rack=1', 'edge']],
    );
    assert.deepEqual(rest, {
      name: 'gold',
      protocol: 'layer2',
      autoAssign: false,
      avoidBuggyIps: true,
      priority: 50,
      namespaces: ['shop'],
      interfaces: ['eth1'],
    });
  });

  for (const [what, spec, announced] of [
    ['names no pool tells of all', '{}', ['a', 'b']],
    ['says nothing at all does, too', 'null', ['a', 'b']],
    ['names pools tells of those', '{ipAddressPools: [b]}', ['b']],
    ['chooses pools by label tells of those', '{ipAddressPoolSelectors: [{matchLabels: {zone: east}}]}', ['a']],
    ['chooses them by a label that is a number tells of those', '{ipAddressPoolSelectors: [{matchLabels: {rack: 1}}]}', ['b']],
  ] as const)
    test(`an advertisement that ${what}; the addresses of others nobody tells`, () => {
      const pools = read(
        pool('a', '{addresses: [192.0.2.1/32]}', '{zone: east}') +
          pool('b', '{addresses: [192.0.2.2/32]}', '{rack: 1}') +
          advertisement(spec),
      );
      assert.deepEqual(
        pools.filter(({ protocol }) => protocol === 'layer2').map(({ name }) => name),
        announced,
      );
    });

  test('come as a List, too, as kubectl writes them', () => {
    const [one] = read(
      'apiVersion: v1\nkind: List\nitems: [{apiVersion: metallb.io/v1beta1, kind: IPAddressPool, metadata: {name: a}, spec: {addresses: [192.0.2.1/32]}}]',
    );
    assert.deepEqual([one?.name, one?.protocol], ['a', 'routed']);
  });

  test('a text of the configuration file is read as that, and an empty one has no pools', () => {
    assert.equal(read('address-pools: [{name: a, addresses: [192.0.2.1]}]')[0]?.name, 'a');
    assert.deepEqual([read(''), read('# nothing\n')], [[], []]);
  });

  for (const [what, text, why] of [
    ['a field that it does not know', pool('a', '{addresses: [192.0.2.1/32], autoasign: false}'), /pool "a" has a field "autoasign"/],
    [
      'a peer of BGP',
      'apiVersion: metallb.io/v1beta2\nkind: BGPPeer\nmetadata: {name: router}\nspec: {}',
      /nobody here speaks what BGPPeer "router" says/,
    ],
    ['an object of somebody else', 'apiVersion: v1\nkind: IPAddressPool\nmetadata: {name: a}', /nobody here speaks/],
    ['an advertisement of a pool that is not there', advertisement('{ipAddressPools: [x]}'), /L2Advertisement "ad" names pool "x"/],
    [
      'two advertisements of one pool',
      pool('a', '{addresses: [192.0.2.1/32]}') + advertisement('{}') + advertisement('{}'),
      /pool "a" has 2 L2Advertisements/,
    ],
    [
      'a selector that is none',
      pool('a', '{addresses: [192.0.2.1/32], serviceAllocation: {serviceSelectors: [{matchExpressions: [{key: a, operator: Is}]}]}}'),
      /"Is" is not a valid label selector operator/,
    ],
    [
      'a list that is none',
      advertisement('{interfaces: eth0}') + pool('a', '{addresses: [192.0.2.1/32]}'),
      /interfaces of "ad" are no list/,
    ],
  ] as const)
    test(`${what} is refused by name`, () => assert.throws(() => read(text), { code: 'BAD_CONFIG', message: why }));

  for (const [selector, why] of [
    ['{matchExpressions: [{key: a, operator: Is}]}', /"Is" is not a valid label selector operator/],
    ['{matchExpressions: {key: a}}', /match-expressions of .*"ad" are no list/],
    ['{matchLabel: {a: b}}', /a selector of "ad" has a field "matchLabel"/],
    ['east', /a selector of "ad" has no fields/],
  ] as const)
    test(`a choice of pools by ${selector} is refused by name`, () => {
      const text = advertisement(`{ipAddressPools: [a], ipAddressPoolSelectors: [${selector}]}`) + pool('a', '{addresses: [192.0.2.1/32]}');
      assert.throws(() => read(text), { code: 'BAD_CONFIG', message: why });
    });

  test('what is no YAML is said', () => assert.throws(() => read('a: [')));
});
