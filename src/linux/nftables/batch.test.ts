import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeMessages } from '../netlink/message.ts';
import { encodeBatch } from './batch.ts';
import type { Chain, ChainHook, Op, SetDeclaration, TableFamily } from './table.ts';

const set: SetDeclaration = { name: 's', key: ['ipv4_addr'] };
const base: Chain = { name: 'c', hook: { type: 'nat', hook: 'postrouting', priority: -5 }, rules: [] };
const head = '06000100740000' + '00';
const names = { chain: `06000200630000` + '00', chainAsOwn: '06000300630000' + '00', set: '06000200730000' + '00' };
const drop =
  '34000480' +
  '30000180' +
  '0e000100696d6d6564696174650000' +
  '00' +
  '1c000280' +
  '0800010000000000' +
  '10000280' +
  '0c000280' +
  '0800010000000000';
const element = '14000380' + '10000180' + '0c000180' + '080001000a000001';

/** The messages of one step: NFT_MSG_*, what the flags add to REQUEST (4 create, 8 append, both in hundreds), and the attributes. */
const cases: readonly [op: Op, messages: readonly [type: number, flags: number, attributes: string][]][] = [
  [{ op: 'add-table' }, [[0, 0x400, `${head}0800020000000000`]]],
  [{ op: 'delete-table' }, [[2, 0, head]]],
  [{ op: 'add-chain', chain: { name: 'c', rules: [] } }, [[3, 0x400, `${head}${names.chainAsOwn}`]]],
  [
    { op: 'add-chain', chain: base },
    [[3, 0x400, `${head}${names.chainAsOwn}080007006e617400080005000000000114000480080001000000000408000200fffffffb`]],
  ],
  [
    { op: 'add-chain', chain: { name: 'c', rules: ['drop'] } },
    [
      [3, 0x400, `${head}${names.chainAsOwn}`],
      [6, 0xc00, `${head}${names.chain}${drop}`],
    ],
  ],
  [{ op: 'flush-chain', chain: 'c' }, [[8, 0, `${head}${names.chain}`]]],
  [
    { op: 'delete-chain', chain: 'c' },
    [
      [8, 0, `${head}${names.chain}`],
      [5, 0, `${head}${names.chainAsOwn}`],
    ],
  ],
  [{ op: 'add-rule', chain: 'c', rule: 'drop' }, [[6, 0xc00, `${head}${names.chain}${drop}`]]],
  [
    { op: 'add-set', set },
    [[9, 0x400, `${head}${names.set}08000300000000000800040000000007080005000000000408000a00000000010a000d000004020000000000`]],
  ],
  [{ op: 'delete-set', set: 's' }, [[11, 0, `${head}${names.set}`]]],
  [{ op: 'add-elements', set, elements: [['10.0.0.1', '']] }, [[12, 0x400, `${head}${names.set}${element}`]]],
  [{ op: 'delete-elements', set, keys: ['10.0.0.1'] }, [[14, 0, `${head}${names.set}${element}`]]],
];

describe('encodeBatch()', () => {
  for (const [op, messages] of cases)
    test(`writes ${JSON.stringify(op)} between two markers; only the last message asks for an answer`, () => {
      const batch = encodeBatch({ family: 'ip', table: 't', ops: [op] }, 5);
      const all = decodeMessages(Buffer.from(batch.bytes));
      assert.deepEqual(
        all.map((m) => [m.type, m.seq]),
        [[16, 5], ...messages.map(([type], i) => [(10 << 8) | type, 6 + i]), [17, 6 + messages.length]],
      );
      assert.deepEqual(
        all.slice(1, -1).map((m) => [m.flags, m.data.toString('hex')]),
        messages.map(([, flags, attributes], i) => [1 | flags | (i === messages.length - 1 ? 4 : 0), `02000000${attributes}`]),
      );
      assert.equal(batch.messages, messages.length);
      for (let i = 0; i < messages.length; i++) assert.equal(batch.opOf(6 + i), op);
      assert.deepEqual([batch.opOf(5), batch.opOf(6 + messages.length)], [undefined, undefined]);
    });

  const families: readonly [family: TableFamily, hex: string][] = [
    ['ip', '02000000'],
    ['ip6', '0a000000'],
  ];
  for (const [family, hex] of families)
    test(`says the family ${family} in every message, and the subsystem in the markers`, () => {
      const all = decodeMessages(Buffer.from(encodeBatch({ family, table: 't', ops: [{ op: 'delete-table' }] }).bytes));
      assert.deepEqual(
        all.map((m) => m.data.toString('hex').slice(0, 8)),
        ['0000000a', hex, '0000000a'],
      );
      assert.equal(all[0]?.seq, 1);
    });

  const hooks: readonly [hook: ChainHook, number: number][] = [
    ['prerouting', 0],
    ['input', 1],
    ['forward', 2],
    ['output', 3],
    ['postrouting', 4],
  ];
  for (const [hook, number] of hooks)
    test(`calls ${hook} by its number`, () => {
      const chain: Chain = { name: 'c', hook: { type: 'filter', hook, priority: 0 }, rules: [] };
      const [, message] = decodeMessages(Buffer.from(encodeBatch({ family: 'ip', table: 't', ops: [{ op: 'add-chain', chain }] }).bytes));
      assert.match(message?.data.toString('hex') ?? '', new RegExp(`1400048008000100${String(number).padStart(8, '0')}08000200`));
    });

  test('gives each set of a transaction a number of its own', () => {
    const ops: Op[] = [
      { op: 'add-set', set },
      { op: 'add-set', set },
    ];
    const all = decodeMessages(Buffer.from(encodeBatch({ family: 'ip', table: 't', ops }).bytes)).slice(1, -1);
    assert.deepEqual(
      all.map((m) => /08000a00(\d{8})/.exec(m.data.toString('hex'))?.[1]),
      ['00000001', '00000002'],
    );
  });
});
