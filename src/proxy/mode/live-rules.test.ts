import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { liveRules } from './live-rules.ts';

describe('liveRules()', () => {
  const chains = (chain: string, ...rules: string[]): Map<string, readonly string[]> => new Map([[chain, rules]]);
  const rules = new Map([
    ['nat', chains('KUBE-SERVICES', '-j A', '-j B')],
    ['mangle', chains('OUTPUT', '-j C')],
  ]);
  const at = (table: string, chain: string, index: number): Parameters<ReturnType<typeof liveRules>['stepOf']>[0] => ({
    table,
    chain,
    index,
    text: undefined,
  });

  test('names a rule by its place in its chain, as the tools write it', () => {
    const { stepOf } = liveRules(rules, 'nft');
    assert.deepEqual(stepOf(at('nat', 'KUBE-SERVICES', 1)), { place: 'nat KUBE-SERVICES', rule: '-j B' });
    for (const [table, chain, index] of [
      ['nat', 'KUBE-SERVICES', 2],
      ['nat', 'OTHER', 0],
      ['raw', 'OUTPUT', 0],
    ] as const)
      assert.equal(stepOf(at(table, chain, index)), undefined);
  });

  test("takes tables for others' that the mode's tracer does not go through", () => {
    assert.equal(liveRules(rules, 'nft').stepOf(at('mangle', 'OUTPUT', 0)), undefined);
    assert.deepEqual(liveRules(rules, 'nft', ['nat', 'mangle']).stepOf(at('mangle', 'OUTPUT', 0)), {
      place: 'mangle OUTPUT',
      rule: '-j C',
    });
  });

  test('says that the kernel does not tell of rules of the legacy backend', () => {
    assert.match(liveRules(rules, 'legacy').untold ?? '', /iptables-legacy/);
    assert.equal(liveRules(rules, 'nft').untold, undefined);
  });
});
