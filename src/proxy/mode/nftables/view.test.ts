import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Op } from '../../../linux/nftables/table.ts';
import { planScenario } from '../../testing/scenario.ts';
import { scenarios } from '../../testing/scenarios.ts';
import { affinitySet, setsOf } from './layout.ts';
import { changesOf, heldTable } from './view.ts';

const { scenario } = scenarios.find(({ title }) => title === 'web') ?? assert.fail();
const plans = [...planScenario(scenario).plans.values()];
const set = (name: string): ReturnType<typeof setsOf>[number] => setsOf({ family: 'ip' }).find((one) => one.name === name) ?? assert.fail();

describe('changesOf()', () => {
  const cases: readonly [op: Op, text: string, service?: string][] = [
    [
      { op: 'add-elements', set: set('services'), elements: [['10.96.0.100 . tcp . 80', 'goto lb-3']] },
      'add element ip kube-proxy services { 10.96.0.100 . tcp . 80 : goto lb-3 }',
      'default/web',
    ],
    [
      { op: 'delete-elements', set: set('endpoints'), keys: ['10.96.0.101 . tcp . 80 . 2'] },
      'delete element ip kube-proxy endpoints { 10.96.0.101 . tcp . 80 . 2 }',
      'default/web-nodeport',
    ],
    [
      { op: 'delete-elements', set: set('nodeport-endpoints'), keys: ['tcp . 30080 . 0'] },
      'delete element ip kube-proxy nodeport-endpoints { tcp . 30080 . 0 }',
      'default/web-nodeport',
    ],
    [{ op: 'delete-elements', set: set('nodeports'), keys: ['tcp . 30081'] }, 'delete element ip kube-proxy nodeports { tcp . 30081 }'],
    // Of a port that the Service does not have, but at its address.
    [
      { op: 'delete-elements', set: set('services'), keys: ['10.96.0.100 . udp . 53'] },
      'delete element ip kube-proxy services { 10.96.0.100 . udp . 53 }',
      'default/web',
    ],
    [
      { op: 'add-elements', set: set('cluster-ips'), elements: [['10.96.0.99', '']] },
      'add element ip kube-proxy cluster-ips { 10.96.0.99 }',
    ],
    [
      { op: 'add-set', set: affinitySet('shop/cart', { family: 'ip' }) },
      'add map ip kube-proxy affinity-of-shop/cart { type ipv4_addr . ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; size 65535; flags dynamic,timeout; }',
      'shop/cart',
    ],
    [{ op: 'delete-set', set: 'affinity-of-shop/cart' }, 'delete set ip kube-proxy affinity-of-shop/cart', 'shop/cart'],
    [{ op: 'delete-chain', chain: 'rr-lb-3-tcp-80-shop/cart' }, 'delete chain ip kube-proxy rr-lb-3-tcp-80-shop/cart', 'shop/cart'],
    [
      { op: 'add-rule', chain: 'learn-10800-shop/cart', rule: 'return' },
      'add rule ip kube-proxy learn-10800-shop/cart return',
      'shop/cart',
    ],
    [{ op: 'flush-chain', chain: 'lb-3' }, 'flush chain ip kube-proxy lb-3'],
    [{ op: 'delete-table' }, 'delete table ip kube-proxy'],
  ];
  for (const [op, text, service] of cases)
    test(`names "${text}" by ${service ?? 'nobody'}`, () =>
      assert.deepEqual(changesOf([{ family: 'ip', table: 'kube-proxy', ops: [op] }], plans), [
        { text: `nft ${text}`, ...(service === undefined ? {} : { service }) },
      ]));

  test('has a line for each rule of a chain', () => {
    const chain = { name: 'a', hook: { type: 'nat', hook: 'output', priority: -100 }, rules: ['drop', 'accept'] } as const;
    assert.deepEqual(
      changesOf([{ family: 'ip6', table: 't', ops: [{ op: 'add-chain', chain }] }], plans).map(({ text }) => text),
      [
        'nft add chain ip6 t a { type nat hook output priority -100; policy accept; }',
        'nft add rule ip6 t a drop',
        'nft add rule ip6 t a accept',
      ],
    );
  });
});

test('heldTable() leaves out a rule that is not understood, and says which', () => {
  const rules = ['drop', undefined, 'accept'].map((text) => ({ text, is: () => false }));
  const { table, unread } = heldTable({
    family: 'ip',
    name: 'kube-proxy',
    chains: new Map([['a', { name: 'a', rules }]]),
    sets: new Map(),
  });
  assert.deepEqual(table.chains, [{ name: 'a', rules: ['drop', 'accept'] }]);
  assert.deepEqual(unread, ['rule 2 of chain a']);
});
