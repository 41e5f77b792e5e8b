import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inNetns } from '../netns.ts';
import { cannotMakeNamespaces, Namespaces } from '../testing/namespaces.ts';
import type { IpsetDeclaration, IpsetOp, IpsetType } from './ipset.ts';
import { KernelIpset } from './kernel-ipset.ts';
import { printIpsets } from './print.ts';
import { parseIpsets } from './testing/parse.ts';

interface Place extends AsyncDisposable {
  readonly sets: KernelIpset;
  /** Runs the tool `ipset`. */
  tool(...words: string[]): Promise<string>;
}

async function place(): Promise<Place> {
  const net = new Namespaces();
  await net.add('n');
  const sets = inNetns(net.path('n'), () => new KernelIpset());
  return {
    sets,
    tool: async (...words) => (await net.run('n', 'ipset', words)).stdout,
    [Symbol.asyncDispose]: async () => {
      sets.close();
      await net[Symbol.asyncDispose]();
    },
  };
}

const entries: readonly [type: IpsetType, four: readonly string[], six: readonly string[]][] = [
  ['hash:ip', ['10.96.0.1', '10.96.0.2'], ['fd00::1']],
  ['hash:ip,port', ['10.96.0.1,tcp:80', '10.96.0.1,udp:53', '10.96.0.1,sctp:9'], ['fd00::1,tcp:80', 'fd00::1,udp:53']],
  ['hash:ip,port,ip', ['10.244.1.2,tcp:8080,10.244.1.2'], ['fd00::1,sctp:80,fd00::1']],
  ['hash:ip,port,net', ['10.1.0.1,tcp:80,10.0.0.0/8', '10.1.0.1,tcp:80,192.0.2.1'], ['fd00::1,tcp:80,2001:db8::/32']],
  ['bitmap:port', ['0', '30080', '65535'], []],
];

function declarations(): { set: IpsetDeclaration; entries: readonly string[] }[] {
  return entries.flatMap(([type, four, six]): { set: IpsetDeclaration; entries: readonly string[] }[] => {
    const name = `T-${type.replaceAll(/[:,]/g, '-')}`;
    if (type === 'bitmap:port') return [{ set: { name, type }, entries: four }];
    return [
      { set: { name, type, family: 4 as const }, entries: four },
      { set: { name: `${name}-6`, type, family: 6 as const }, entries: six },
    ];
  });
}

describe('KernelIpset', { skip: cannotMakeNamespaces, concurrency: false }, () => {
  test('makes sets of every type and family as ipset does, and reads back what they hold', async () => {
    await using there = await place();
    assert.ok((await there.sets.protocol()) >= 6);
    const wanted = declarations();
    const ops = wanted.flatMap(({ set, entries: held }): IpsetOp[] => [
      { op: 'create', set },
      ...held.map((entry): IpsetOp => ({ op: 'add', set, entry })),
    ]);
    assert.deepEqual(
      (await there.sets.apply(ops)).filter((error) => error),
      [],
    );
    assert.equal(printIpsets(parseIpsets(await there.tool('save'))), printIpsets(wanted));
    for (const { set, entries: held } of wanted) {
      const read = await there.sets.read(set.name);
      assert.deepEqual(read?.set, set);
      assert.deepEqual([...read.entries].sort(), held.toSorted());
    }
    assert.deepEqual((await there.sets.names()).sort(), wanted.map(({ set }) => set.name).sort());
  });

  test('takes over a set that ipset made the way kube-proxy does', async () => {
    await using there = await place();
    const words = 'create K hash:ip,port family inet hashsize 1024 maxelem 65536'.split(' ');
    await there.tool(...words);
    await there.tool('create', 'P', 'bitmap:port', 'range', '0-65535');
    const set = { name: 'K', type: 'hash:ip,port', family: 4 } as const;
    const ports = { name: 'P', type: 'bitmap:port' } as const;
    assert.deepEqual(
      await there.sets.apply([
        { op: 'create', set },
        { op: 'create', set: ports },
      ]),
      [undefined, undefined],
    );
    const [error] = await there.sets.apply([{ op: 'create', set: { ...set, type: 'hash:ip' } }]);
    assert.equal(error?.errno, 'EEXIST');
  });

  test('says which of many changes were refused, and makes the others', async () => {
    await using there = await place();
    const set = { name: 'S', type: 'hash:ip', family: 4 } as const;
    const add = (i: number): IpsetOp => ({ op: 'add', set, entry: `10.0.${i >> 8}.${i & 255}` });
    const many = Array.from({ length: 2500 }, (_, i) => add(i));
    const ops: IpsetOp[] = [
      { op: 'flush', name: 'none' },
      { op: 'create', set },
      ...many,
      { op: 'swap', name: 'S', other: 'none' },
      add(1),
    ];
    const errors = await there.sets.apply(ops);
    assert.deepEqual(
      errors.flatMap((error, i) => (error ? [[i, error.errno]] : [])),
      [
        [0, 'ENOENT'],
        [2502, 'IPSET_ERR_EXIST_SETNAME2'],
      ],
    );
    assert.equal((await there.sets.read('S'))?.entries.size, 2500);
  });

  test('deletes, flushes, swaps and destroys; what is gone already is fine', async () => {
    await using there = await place();
    const a = { name: 'A', type: 'hash:ip', family: 4 } as const;
    const b = { ...a, name: 'B' };
    const ops: IpsetOp[] = [
      { op: 'create', set: a },
      { op: 'create', set: b },
      { op: 'add', set: a, entry: '10.0.0.1' },
      { op: 'add', set: a, entry: '10.0.0.2' },
      { op: 'del', set: a, entry: '10.0.0.1' },
      { op: 'del', set: a, entry: '10.0.0.1' },
      { op: 'swap', name: 'A', other: 'B' },
    ];
    assert.deepEqual(
      (await there.sets.apply(ops)).filter((error) => error),
      [],
    );
    assert.deepEqual([...((await there.sets.read('B'))?.entries ?? [])], ['10.0.0.2']);
    await there.sets.apply([
      { op: 'flush', name: 'B' },
      { op: 'destroy', name: 'A' },
    ]);
    assert.deepEqual(await there.sets.names(), ['B']);
    assert.equal((await there.sets.read('B'))?.entries.size, 0);
    assert.equal(await there.sets.read('A'), undefined);
  });
});
