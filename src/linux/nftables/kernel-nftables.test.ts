import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eventually } from '../../clock/testing/eventually.ts';
import { isKnownError } from '../../errors/known-error.ts';
import { inNetns } from '../netns.ts';
import { cannotMakeNamespaces, Namespaces } from '../testing/namespaces.ts';
import { KernelNftables } from './kernel-nftables.ts';
import { syncTable } from './sync-table.ts';
import type { SetDeclaration, Table, Transaction } from './table.ts';

const ports: SetDeclaration = { name: 'ports', key: ['ipv4_addr', 'inet_service'], data: ['ipv4_addr', 'inet_service'] };
const pods: SetDeclaration = { name: 'pods', key: ['ipv4_addr'] };

/** Every kind of statement once, in a chain that may hold it. */
const table: Table = {
  family: 'ip',
  name: 'all-kinds',
  sets: [ports, pods],
  elements: new Map([
    ['ports', new Map([['10.96.0.1 . 80', '10.244.0.1 . 8080']])],
    ['pods', new Map([['10.244.0.1', '']])],
  ]),
  chains: [
    { name: 'last', rules: ['drop'] },
    {
      name: 'raw',
      hook: { type: 'filter', hook: 'prerouting', priority: -300 },
      rules: ['ip daddr 192.168.120.11 meta l4proto udp th dport 8472 notrack'],
    },
    {
      name: 'filter',
      hook: { type: 'filter', hook: 'forward', priority: 0 },
      rules: [
        'ip saddr != @pods ip daddr 10.244.0.0/16 return',
        'iifname "cni0" ct state new goto last',
        'meta l4proto tcp reject with tcp reset',
        'reject',
      ],
    },
    {
      name: 'before-routing',
      hook: { type: 'nat', hook: 'prerouting', priority: -100 },
      rules: ['dnat ip to ip daddr . th dport map @ports'],
    },
    {
      name: 'after-routing',
      hook: { type: 'nat', hook: 'postrouting', priority: 105 },
      rules: [
        'meta mark & 0x4000 == 0x4000 return',
        'ip daddr 224.0.0.0/4 return',
        'fib saddr type local return',
        'masquerade fully-random',
      ],
    },
  ],
};

/** Whether work ends before the event loop goes on: nothing of another thread comes before that. */
async function holdsUpLoop(work: Promise<void>): Promise<boolean> {
  let isDone = false;
  const ended = work.then(() => {
    isDone = true;
  });
  for (let turn = 0; turn < 1000 && !isDone; turn++) await undefined;
  const held = isDone;
  await ended;
  return held;
}

describe('KernelNftables', { skip: cannotMakeNamespaces }, () => {
  test('sends beside the event loop what takes away a whole table or set, and on it what is short otherwise', async () => {
    await using net = new Namespaces();
    await net.add('n');
    using nft = inNetns(net.path('n'), () => new KernelNftables('if-long'));
    const held = (...ops: Transaction['ops']): Promise<boolean> => holdsUpLoop(nft.commit({ family: 'ip', table: 't', ops }));
    assert.equal(await held({ op: 'add-table' }, { op: 'add-set', set: pods }), true);
    assert.equal(await held({ op: 'delete-set', set: 'pods' }), false);
    assert.equal(await held({ op: 'delete-table' }), false);
  });

  test('finds a table as it wrote it, and nft shows it as it was written', async () => {
    await using net = new Namespaces();
    await net.add('n');
    using nft = inNetns(net.path('n'), () => new KernelNftables());
    assert.equal(await syncTable(nft, table), true);
    assert.equal(await syncTable(nft, table), false);
    const held = await nft.read('ip', 'all-kinds');
    for (const { name, rules } of table.chains)
      assert.deepEqual(
        held?.chains.get(name)?.rules.map(({ text }) => text),
        rules,
      );
    const { stdout } = await net.run('n', 'nft', ['list', 'table', 'ip', 'all-kinds']);
    for (const line of [
      'ip daddr 192.168.120.11 udp dport 8472 notrack',
      'meta mark & 0x00004000 == 0x00004000 return',
      'dnat ip to ip daddr . th dport map @ports',
      'elements = { 10.96.0.1 . 80 : 10.244.0.1 . 8080 }',
    ])
      assert.ok(stdout.includes(line), `"${line}" is not in\n${stdout}`);
  });

  test('finds ranges as it wrote them, wherever they meet and end, takes some away, and reads what others write', async () => {
    await using net = new Namespaces();
    await net.add('n');
    using nft = inNetns(net.path('n'), () => new KernelNftables());
    const cases = [
      ['ip', 'ipv4_addr', ['192.0.2.0/25', '192.0.2.128/25', '0.0.0.0/32', '255.255.255.255', '10.0.0.1', '10.0.0.2', '240.0.0.0/5']],
      ['ip6', 'ipv6_addr', ['fd00::/64', 'fd00:0:0:1::/64', '2001:db8::1', 'ff00::/8', '::/16']],
    ] as const;
    for (const [family, type, texts] of cases) {
      const set: SetDeclaration = { name: 'ranges', key: [type], interval: true };
      const wanted = texts.map((text) => text.replace('/32', '')).sort();
      const commit = (...ops: Transaction['ops']): Promise<void> => nft.commit({ family, table: 't', ops });
      const held = async (): Promise<string[]> => [...(await nft.readElements(family, 't', set)).keys()].sort();
      const elements = texts.filter((text) => text !== '255.255.255.255' || family === 'ip').map((text) => [text, ''] as const);
      await commit({ op: 'add-table' }, { op: 'add-set', set });
      if (family === 'ip') await commit({ op: 'add-elements', set, elements: elements.filter(([text]) => text !== '240.0.0.0/5') });
      else await commit({ op: 'add-elements', set, elements });
      const whole = wanted.filter((text) => text !== '240.0.0.0/5');
      assert.deepEqual(await held(), whole);
      const { stdout } = await net.run('n', 'nft', ['list', 'set', family, 't', 'ranges']);
      for (const range of whole) assert.ok(stdout.includes(range), `${range} is not in ${stdout}`);
      const [first = ''] = texts;
      await commit({ op: 'delete-elements', set, keys: [first] });
      assert.deepEqual(
        await held(),
        whole.filter((text) => text !== first),
      );
    }
    assert.equal((await net.run('n', 'nft', ['add', 'element', 'ip', 't', 'ranges', '{ 192.0.2.3-192.0.2.9 }'])).code, 0);
    const set: SetDeclaration = { name: 'ranges', key: ['ipv4_addr'], interval: true };
    assert.ok((await nft.readElements('ip', 't', set)).has('192.0.2.3-192.0.2.9'));
    await nft.commit({ family: 'ip', table: 't', ops: [{ op: 'delete-elements', set, keys: ['192.0.2.3-192.0.2.9'] }] });
    assert.ok(!(await nft.readElements('ip', 't', set)).has('192.0.2.3-192.0.2.9'));
  });

  test('writes again what somebody has changed, and hears of it', async () => {
    await using net = new Namespaces();
    await net.add('n');
    using nft = inNetns(net.path('n'), () => new KernelNftables());
    let heard = 0;
    const watch = nft.watch('all-kinds', () => heard++);
    await syncTable(nft, table);
    for (const change of [
      ['flush', 'chain', 'ip', 'all-kinds', 'raw'],
      ['add', 'rule', 'ip', 'all-kinds', 'after-routing', 'accept'],
      ['delete', 'element', 'ip', 'all-kinds', 'pods', '{ 10.244.0.1 }'],
      ['delete', 'table', 'ip', 'all-kinds'],
    ]) {
      const before = heard;
      assert.equal((await net.run('n', 'nft', change)).code, 0, change.join(' '));
      await eventually(`"${change.join(' ')}" is heard`, () => heard > before);
      assert.equal(await syncTable(nft, table), true, change.join(' '));
      assert.equal(await syncTable(nft, table), false, change.join(' '));
    }
    watch.close();
  });

  test('takes all of a transaction or nothing, and says which step was refused', async () => {
    await using net = new Namespaces();
    await net.add('n');
    using nft = inNetns(net.path('n'), () => new KernelNftables());
    await syncTable(nft, table);
    const extra = { op: 'add-elements', set: pods, elements: [['10.244.0.2', '']] } as const;
    await assert.rejects(
      nft.commit({ family: 'ip', table: 'all-kinds', ops: [extra, { op: 'delete-chain', chain: 'last' }, extra] }),
      (err) => isKnownError(err, 'KERNEL_REFUSED') && /delete chain "last" failed with EBUSY/.test(err.message),
    );
    assert.deepEqual([...(await nft.readElements('ip', 'all-kinds', pods)).keys()], ['10.244.0.1']);
    await assert.rejects(nft.commit({ family: 'ip', table: 'none', ops: [{ op: 'delete-table' }] }), /failed with ENOENT/);
    assert.equal(await nft.read('ip', 'none'), undefined);
  });
});
