import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { encodeAttrs } from '../netlink/attribute.ts';
import { compileRule } from './compile.ts';
import { ruleText } from './decompile.ts';
import type { TableFamily } from './table.ts';
import { parseTable } from './testing/parse.ts';

/** The rule as the kernel lists it. */
function listed(text: string, family: TableFamily): Buffer {
  return encodeAttrs(
    compileRule(text, family).map(({ name, data }) => [
      1,
      [
        [1, Buffer.from(`${name}\0`)],
        [2, data],
      ],
    ]),
  );
}

describe('ruleText()', () => {
  const rules: readonly [family: TableFamily, text: string][] = [
    ['ip', 'ip saddr 10.244.1.2 drop'],
    ['ip', 'ip saddr != 10.0.0.0/8 drop'],
    ['ip', 'ip daddr 10.96.0.0/12 ip saddr != 192.0.2.128/25 accept'],
    ['ip6', 'ip6 saddr fd00:10:244::/56 ip6 daddr != fd00::1 return'],
    ['ip', 'th dport 4789 th sport 1 notrack'],
    ['ip6', 'ip6 saddr fd00::1 th sport 1 meta nftrace set 1'],
    ['ip', 'meta l4proto sctp ct state new ct status dnat jump a'],
    ['ip', 'ct state != new ct status != dnat goto b'],
    ['ip', 'meta mark & 0x4000 == 0x4000 masquerade fully-random'],
    ['ip', 'meta mark & 0x3 == 0x0 masquerade fully-random'],
    ['ip', 'iifname "veth1" iifname != "cali*" reject'],
    ['ip', 'fib saddr type local fib daddr type != local reject with tcp reset'],
    ['ip', 'ip saddr . ip daddr @s ip saddr . th dport != @t drop'],
    ['ip', 'dnat ip to ip daddr . meta l4proto . th dport . numgen inc mod 3 offset 65536 map @endpoints'],
    ['ip6', 'dnat ip6 to ip6 daddr . th dport . jhash ip6 saddr mod 64 seed 0xfa1 map @endpoints'],
    ['ip', 'th dport . jhash ip saddr mod 64 seed 0x1 offset 65536 vmap @m'],
    ['ip6', 'update @m { ct original ip6 saddr . ct original proto-dst timeout 1h30m : ct reply ip6 saddr . ct reply proto-src }'],
    ['ip6', 'meta l4proto tcp update @s { ct original ip6 daddr . meta l4proto . ct original proto-dst . ip6 daddr . th dport counter }'],
  ];
  for (const [family, text] of rules) test(`reads "${text}" back`, () => assert.equal(ruleText(listed(text, family), family), text));

  test('reads every rule of the golden files back', () => {
    const folder = new URL('../../../rules/scenarios/', import.meta.url);
    for (const name of readdirSync(folder)) {
      const { chains, family } = parseTable(readFileSync(new URL(`${name}/nftables.nft`, folder), 'utf8'));
      for (const rule of chains.flatMap((chain) => chain.rules)) assert.equal(ruleText(listed(rule, family), family), rule);
    }
  });

  test('gives nothing for what it would understand by half', () => {
    const expression = (name: string): Buffer => encodeAttrs([[1, [[1, Buffer.from(`${name}\0`)]]]]);
    assert.equal(ruleText(expression('counter'), 'ip'), undefined);
    assert.equal(ruleText(Buffer.concat([listed('ip saddr 10.0.0.1 drop', 'ip'), expression('log')]), 'ip'), undefined);
    assert.equal(ruleText(listed('ip6 saddr fd00::1 drop', 'ip6'), 'ip'), undefined);
  });
});
