/** Tables as text: printTable() and parseTable(). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { printTable } from '../print.ts';
import type { ChainHook, Hook, Table } from '../table.ts';
import { parseTable } from './parse.ts';

const table: Table = {
  family: 'ip6',
  name: 't',
  sets: [
    { name: 'plain', key: ['ipv6_addr'] },
    { name: 'empty', key: ['inet_proto', 'inet_service'], data: ['verdict'] },
    { name: 'map', key: ['inet_service'], data: ['ipv6_addr', 'inet_service'] },
    { name: 'ranges', key: ['inet_service', 'ipv6_addr'], interval: true },
    { name: 'sticky', typeof: true, key: ['ip6 saddr'], data: ['ip6 daddr', 'th dport'], dynamic: { size: 65_536 } },
  ],
  elements: new Map([
    ['plain', new Map(['fd00::10', 'fd00::9', 'fd00::9:1', 'fd00::a'].map((ip) => [ip, '']))],
    ['map', new Map([['80', 'fd00::1 . 8080']])],
    ['ranges', new Map([['80 . fd00::/64', '']])],
  ]),
  chains: [
    { name: 'plain', rules: ['drop'] },
    { name: 'base', hook: { type: 'nat', hook: 'prerouting', priority: -100 }, rules: ['th dport vmap @empty', 'accept'] },
    { name: 'nothing', rules: [] },
  ],
};

const text = `table ip6 t {
\tset plain {
\t\ttype ipv6_addr
\t\telements = { fd00::9,
\t\t\t     fd00::9:1,
\t\t\t     fd00::10,
\t\t\t     fd00::a }
\t}

\tmap empty {
\t\ttype inet_proto . inet_service : verdict
\t}

\tmap map {
\t\ttype inet_service : ipv6_addr . inet_service
\t\telements = { 80 : fd00::1 . 8080 }
\t}

\tset ranges {
\t\ttype inet_service . ipv6_addr
\t\tflags interval
\t\telements = { 80 . fd00::/64 }
\t}

\tmap sticky {
\t\ttypeof ip6 saddr : ip6 daddr . th dport
\t\tsize 65536
\t\tflags dynamic,timeout
\t}

\tchain plain {
\t\tdrop
\t}

\tchain base {
\t\ttype nat hook prerouting priority dstnat; policy accept;
\t\tth dport vmap @empty
\t\taccept
\t}

\tchain nothing {
\t}
}
`;

describe('the text of a table', () => {
  test('is what nft takes, elements in the order of their numbers', () => assert.equal(printTable(table), text));

  test('is read back', () => {
    const read = parseTable(text);
    assert.deepEqual(read.chains, table.chains);
    assert.deepEqual(read.sets, table.sets);
    assert.deepEqual([read.family, read.name], ['ip6', 't']);
    for (const { name } of table.sets) {
      assert.deepEqual([...(read.elements.get(name) ?? [])].toSorted(), [...(table.elements.get(name) ?? [])].toSorted(), name);
    }
    assert.equal(printTable(read), text);
  });

  test('of a table that holds nothing is two lines', () => {
    assert.equal(
      printTable({ family: 'ip', name: 'x', sets: [], elements: new Map(), chains: [{ name: 'c', rules: [] }] }),
      'table ip x {\n\tchain c {\n\t}\n}\n',
    );
  });

  const priorities: readonly [hook: ChainHook, priority: number, word: string][] = [
    ['prerouting', -100, 'dstnat'],
    ['prerouting', 0, 'filter'],
    ['postrouting', 100, 'srcnat'],
    ['postrouting', 105, '105'],
    ['prerouting', -300, '-300'],
    // nft 1.0.6 does not know the names there.
    ['output', -100, '-100'],
    ['output', 0, '0'],
  ];
  for (const [hook, priority, word] of priorities)
    test(`names priority ${priority} of ${hook} "${word}"`, () => {
      const base: Hook = { type: 'filter', hook, priority };
      const printed = printTable({ ...table, sets: [], chains: [{ name: 'c', hook: base, rules: [] }] });
      assert.match(printed, new RegExp(`type filter hook ${hook} priority ${word}; policy accept;`));
      assert.deepEqual(parseTable(printed).chains[0]?.hook, base);
    });

  for (const [word, priority] of [
    ['srcnat + 5', 105],
    ['dstnat - 10', -110],
    ['filter + 1', 1],
  ] as const)
    test(`reads priority "${word}", as nft prints it`, () => {
      const read = parseTable(`table ip t {\n\tchain c {\n\t\ttype nat hook output priority ${word}; policy accept;\n\t}\n}\n`);
      assert.equal(read.chains[0]?.hook?.priority, priority);
    });

  for (const bad of ['', 'table inet t {\n}\n', 'table ip t\n', 'chain c {\n}\n'])
    test(`is no table: ${JSON.stringify(bad)}`, () => assert.throws(() => parseTable(bad), /not a table of family ip or ip6/));

  test('with a rule that is not known is refused', () => {
    assert.throws(() => parseTable('table ip t {\n\tchain c {\n\t\tcounter\n\t}\n}\n'), /unknown expression at "counter"/);
  });
});
