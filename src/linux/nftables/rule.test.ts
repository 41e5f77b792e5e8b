import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatTimeout, parseRule, parseTimeout, parseVerdict, type Statement, type Term } from './rule.ts';

describe('parseRule()', () => {
  const terms: readonly [text: string, term: Term][] = [
    ['ip saddr', { kind: 'payload', header: 'ip', field: 'saddr' }],
    ['ip daddr', { kind: 'payload', header: 'ip', field: 'daddr' }],
    ['ip6 saddr', { kind: 'payload', header: 'ip6', field: 'saddr' }],
    ['ip6 daddr', { kind: 'payload', header: 'ip6', field: 'daddr' }],
    ['th sport', { kind: 'payload', header: 'th', field: 'sport' }],
    ['th dport', { kind: 'payload', header: 'th', field: 'dport' }],
    ['meta l4proto', { kind: 'l4proto' }],
    ['iifname', { kind: 'iifname' }],
    ['ct state', { kind: 'ct', key: 'state' }],
    ['ct status', { kind: 'ct', key: 'status' }],
    ...(['original', 'reply'] as const).flatMap((direction) =>
      (['ip saddr', 'ip daddr', 'ip6 saddr', 'ip6 daddr', 'proto-src', 'proto-dst'] as const).map((field): [string, Term] => [
        `ct ${direction} ${field}`,
        { kind: 'tuple', direction, field },
      ]),
    ),
    ['fib saddr type', { kind: 'fib', address: 'saddr' }],
    ['fib daddr type', { kind: 'fib', address: 'daddr' }],
    ['numgen random mod 7', { kind: 'numgen', type: 'random', modulus: 7, offset: 0 }],
    ['numgen random mod 7 offset 3', { kind: 'numgen', type: 'random', modulus: 7, offset: 3 }],
    ['numgen inc mod 7', { kind: 'numgen', type: 'inc', modulus: 7, offset: 0 }],
    [
      'jhash ip saddr mod 7 seed 0xfa1',
      { kind: 'jhash', of: { kind: 'payload', header: 'ip', field: 'saddr' }, modulus: 7, seed: 0xfa1, offset: 0 },
    ],
    [
      'jhash ip6 saddr mod 7 seed 0x1 offset 3',
      { kind: 'jhash', of: { kind: 'payload', header: 'ip6', field: 'saddr' }, modulus: 7, seed: 1, offset: 3 },
    ],
  ];
  for (const [text, term] of terms)
    test(`reads the term "${text}"`, () => {
      assert.deepEqual(parseRule(`${text} x`), [{ kind: 'match', term, not: false, value: 'x' }]);
      assert.deepEqual(parseRule(`iifname . ${text} @s`), [{ kind: 'lookup', key: [{ kind: 'iifname' }, term], not: false, set: 's' }]);
    });

  const key: readonly Term[] = [{ kind: 'payload', header: 'ip', field: 'saddr' }, { kind: 'l4proto' }];
  const statements: readonly [text: string, statement: Statement][] = [
    ['iifname != "a"', { kind: 'match', term: { kind: 'iifname' }, not: true, value: '"a"' }],
    ['ip saddr . meta l4proto @s', { kind: 'lookup', key, not: false, set: 's' }],
    ['ip saddr . meta l4proto != @s', { kind: 'lookup', key, not: true, set: 's' }],
    ['ip saddr . meta l4proto vmap @m', { kind: 'vmap', key, map: 'm' }],
    ['dnat ip to ip saddr . meta l4proto map @m', { kind: 'dnat', key, map: 'm' }],
    ['dnat ip6 to ip saddr . meta l4proto map @m', { kind: 'dnat', key, map: 'm' }],
    [
      'update @m { ip saddr . meta l4proto timeout 1h30m : iifname }',
      { kind: 'update', map: 'm', key, data: [{ kind: 'iifname' }], timeoutMs: 5_400_000 },
    ],
    ['meta mark & 0x4000 == 0x4000', { kind: 'mark', mask: 0x4000, value: 0x4000 }],
    ['meta mark & 3 == 0', { kind: 'mark', mask: 3, value: 0 }],
    ['notrack', { kind: 'notrack' }],
    ['masquerade fully-random', { kind: 'masquerade' }],
    ['reject', { kind: 'reject', with: 'icmp' }],
    ['reject with tcp reset', { kind: 'reject', with: 'tcp reset' }],
    ['accept', { kind: 'verdict', verdict: { kind: 'accept' } }],
    ['drop', { kind: 'verdict', verdict: { kind: 'drop' } }],
    ['return', { kind: 'verdict', verdict: { kind: 'return' } }],
    ['jump a', { kind: 'verdict', verdict: { kind: 'jump', chain: 'a' } }],
    ['goto a', { kind: 'verdict', verdict: { kind: 'goto', chain: 'a' } }],
  ];
  for (const [text, statement] of statements)
    test(`reads the statement "${text}"`, () => {
      assert.deepEqual(parseRule(text), [statement]);
      assert.deepEqual(parseRule(`iifname a  ${text} drop`).slice(1, 2), [statement]);
    });

  test('reads nothing of nothing', () => assert.deepEqual(parseRule('  '), []));

  const refused: readonly [text: string, why: string][] = [
    ['counter', 'unknown expression at "counter"'],
    ['ct original zone @x', 'unknown expression at "ct"'],
    ['iifname', 'it ends too early'],
    ['ip saddr .', 'unknown expression at "the end"'],
    ['ip saddr . th dport 80', 'expected a set at "80"'],
    ['ip saddr vmap m', 'expected the name of a set at "the end"'],
    ['dnat ip to ip saddr', 'expected "map" at "the end"'],
    ['dnat to ip saddr map @m', 'expected "ip6 to" at "to"'],
    ['update @m ip saddr', 'expected "{" at "ip"'],
    ['update @m { ip saddr : ip daddr }', 'expected "timeout" at ":"'],
    ['update @m { ip saddr timeout 1h ip daddr }', 'expected ":" at "ip"'],
    ['update @m { ip saddr timeout 1h : ip daddr', 'expected "}" at "the end"'],
    ['meta mark & x == 1', 'expected a number at "x"'],
    ['meta mark & 1', 'expected "==" at "the end"'],
    ['meta mark & 1 ==', 'expected a number at "the end"'],
    ['numgen random mod x @s', 'expected a number at "x"'],
    ['numgen odd mod 2 @s', 'unknown expression at "numgen"'],
    ['jhash ip saddr mod 2 @s', 'expected "seed" at "@s"'],
    ['jhash ip saddr seed 1', 'expected "mod" at "seed"'],
  ];
  for (const [text, why] of refused)
    test(`refuses "${text}", naming the word`, () => {
      assert.throws(
        () => parseRule(text),
        (err) => err instanceof SyntaxError && err.message === `Cannot read the rule "${text}": ${why}`,
      );
    });
});

describe('parseVerdict()', () => {
  test('reads what a map holds', () => assert.deepEqual(parseVerdict('goto lb-3'), { kind: 'goto', chain: 'lb-3' }));
  test('refuses other words', () => assert.throws(() => parseVerdict('masquerade'), /unknown verdict at "masquerade"/));
});

describe('timeouts', () => {
  const cases: readonly [seconds: number, text: string][] = [
    [0, '0s'],
    [1, '1s'],
    [59, '59s'],
    [60, '1m'],
    [61, '1m1s'],
    [3_599, '59m59s'],
    [3_600, '1h'],
    [10_800, '3h'],
    [86_399, '23h59m59s'],
    [86_400, '1d'],
    [90_061, '1d1h1m1s'],
  ];
  for (const [seconds, text] of cases)
    test(`${text} is ${seconds} s, both ways`, () => {
      assert.equal(formatTimeout(seconds), text);
      assert.equal(parseTimeout(text), seconds * 1000);
    });
  for (const text of ['', '3', 'h', '1m1h', '-1s', '1s ', 'x1s'])
    test(`"${text}" is none`, () => assert.throws(() => parseTimeout(text), /^SyntaxError: Cannot read ".*": not a duration such as 3h/));
});
