import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { eventually } from '../../clock/testing/eventually.ts';
import { type Exec, mustRun, systemExec } from '../exec.ts';
import { lockDirectory } from '../lock.ts';
import { cannotMakeNamespaces, Namespaces } from '../testing/namespaces.ts';
import { KernelIptables, readVersion, type Variant } from './kernel-iptables.ts';
import { canonicalRule, probability, quoted, sameRule, wordsOf } from './rule.ts';
import { parseSave, SaveReader } from './ruleset.ts';
import { restoreText, type Section, sizeOf } from './section.ts';
import { FakeIptables } from './testing/fake-iptables.ts';
import { execIn, kernelIptablesIn, lackingTools } from './testing/kernel-in.ts';

describe('sameRule()', () => {
  const same: [why: string, sent: string, printed: string][] = [
    ['matches before addresses', '-m tcp -p tcp -d 10.0.0.1 --dport 80 -j X', '-d 10.0.0.1/32 -p tcp -m tcp --dport 80 -j X'],
    ['comments', '-m comment --comment "a -> b" -j X', '-j X'],
    ['an OR of marks', '-j MARK --or-mark 0x4000', '-j MARK --set-xmark 0x4000/0x4000'],
    ['an XOR of marks', '-j MARK --xor-mark 0x00004000', '-j MARK --set-xmark 0x4000/0x0'],
    ['a mark that is set', '-j MARK --set-mark 1', '-j MARK --set-xmark 0x1/0xffffffff'],
    ['a mark that is asked', '-m mark ! --mark 0x00004000/0x00004000 -j RETURN', '-m mark ! --mark 0x4000/0x4000 -j RETURN'],
    [
      'a probability',
      '-m statistic --mode random --probability 0.3333333333 -j X',
      '-m statistic --mode random --probability 0.33333333349 -j X',
    ],
    ['a turn', '-m statistic --mode nth --every 3 -j X', '-m statistic --mode nth --every 3 --packet 0 -j X'],
    ['a list of clients', '-m recent --name L --set -j X', '-m recent --set --name L --mask 255.255.255.255 --rsource -j X'],
    [
      'a part of the clients',
      '-m cluster --cluster-total-nodes 3 --cluster-local-node 2 --cluster-hash-seed 0 -j X',
      '-m cluster --cluster-local-nodemask 0x00000002 --cluster-total-nodes 3 --cluster-hash-seed 0x00000000 -j X',
    ],
    ['a refusal', '-j REJECT', '-j REJECT --reject-with icmp-port-unreachable'],
    ['a refusal of IPv6', '-s fd00::1 -j REJECT', '-s fd00::1/128 -j REJECT --reject-with icmp6-port-unreachable'],
    ['long names', '--source 10.0.0.0/8 ! --in-interface br0 -j X', '-s 10.0.0.0/8 ! -i br0 -j X'],
  ];
  for (const [why, sent, printed] of same) test(`takes ${why} for the same`, () => assert.ok(sameRule(sent, printed), canonicalRule(sent)));

  const others: [why: string, a: string, b: string][] = [
    ['what must not hold', '-s 10.0.0.0/8 -j X', '! -s 10.0.0.0/8 -j X'],
    ['source and destination', '-s 10.0.0.1 -j X', '-d 10.0.0.1 -j X'],
    ['ports', '-p tcp -m tcp --dport 80 -j X', '-p tcp -m tcp --dport 81 -j X'],
    ['targets', '-j X', '-j Y'],
    ['a jump and a goto', '-j X', '-g X'],
    ['ranges', '-s 10.0.0.0/24 -j X', '-s 10.0.0.0/32 -j X'],
    ['refusals', '-j REJECT', '-j REJECT --reject-with tcp-reset'],
    ['probabilities', '-m statistic --mode random --probability 0.5 -j X', '-m statistic --mode random --probability 0.25 -j X'],
    [
      'parts of the clients',
      '-m cluster --cluster-total-nodes 3 --cluster-local-node 2 --cluster-hash-seed 0 -j X',
      '-m cluster --cluster-local-nodemask 0x00000003 --cluster-total-nodes 3 --cluster-hash-seed 0x00000000 -j X',
    ],
    ['the order of matches', '-m tcp --dport 1 -m mark --mark 1 -j X', '-m mark --mark 1 -m tcp --dport 1 -j X'],
  ];
  for (const [why, a, b] of others) test(`tells ${why} apart`, () => assert.ok(!sameRule(a, b), canonicalRule(a)));
});

test('wordsOf() reads what quoted() wrote', () => {
  const text = 'say "a\\b" -j';
  assert.deepEqual(wordsOf(`-m comment --comment ${quoted(text)} -j X`), ['-m', 'comment', '--comment', text, '-j', 'X']);
});

test('probability() rounds as the kernel does', () => {
  assert.equal(probability(1 / 3), '0.33333333349');
  assert.equal(probability(0.5), '0.50000000000');
});

test('SaveReader reads text that comes in any pieces', () => {
  const text =
    '# x\n*nat\n:PREROUTING ACCEPT [0:0]\n:A-B - [0:0]\n-A A-B -s 1.2.3.4/32 -j X\n-A A-B\nCOMMIT\n*filter\n:INPUT DROP [1:2]\nCOMMIT\n';
  const whole = parseSave(text);
  assert.deepEqual(
    whole.get('nat'),
    new Map([
      ['PREROUTING', []],
      ['A-B', ['-s 1.2.3.4/32 -j X', '']],
    ]),
  );
  assert.deepEqual(whole.get('filter'), new Map([['INPUT', []]]));
  const reader = new SaveReader();
  for (const piece of text) reader.push(piece);
  assert.deepEqual(reader.ruleset, whole);
});

const first: Section = { table: 'nat', fill: new Map([['A', ['-j RETURN', '']]]), insert: new Map([['OUTPUT', ['-j A']]]) };
const second: Section = { table: 'nat', remove: new Map([['OUTPUT', ['-j A']]]), drop: ['A'] };

test('restoreText() fills, removes, inserts and drops, in this order', () => {
  const lines = [...restoreText([first, second], false)].join('').split('\n');
  const wanted = ['*nat', ':A - [0:0]', '-A A -j RETURN', '-A A', '-I OUTPUT -j A', 'COMMIT'];
  assert.deepEqual(lines, [...wanted, '*nat', ':A - [0:0]', '-D OUTPUT -j A', '-X A', 'COMMIT', '']);
  assert.equal(sizeOf(first), 4);
});

test('restoreText() joins neighbours in one table alone', () => {
  const lines = [...restoreText([first, second, { table: 'filter' }, first], true)].join('').split('\n');
  assert.equal(lines.filter((line) => line === 'COMMIT').length, 3);
  assert.deepEqual([...restoreText([], true)], []);
});

describe('readVersion()', () => {
  const cases: [text: string, backend: string, randomFully: boolean][] = [
    ['iptables v1.8.9 (nf_tables)', 'nft', true],
    ['iptables v1.8.9 (legacy)', 'legacy', true],
    ['iptables v1.6.2', 'legacy', true],
    ['iptables v1.6.1', 'legacy', false],
    ['iptables v1.4.21', 'legacy', false],
    ['iptables v2.0.0 (nf_tables)', 'nft', true],
    ['nothing', 'legacy', false],
  ];
  for (const [text, backend, randomFully] of cases) test(text, () => assert.deepEqual(readVersion(text), { backend, randomFully }));
});

test('a machine without the tools is told which package brings them', async () => {
  const missing = { run: (file: string) => systemExec.run(`/nowhere/${file}`, []) };
  const iptables = new KernelIptables('', missing);
  await assert.rejects(iptables.features('ip6'), { code: 'TOOL_MISSING', message: /ip6tables/, hint: /package iptables/ });
  iptables.close();
});

for (const [version, args] of [
  ['v1.8.9 (nf_tables)', ['--noflush', '--wait', '5']],
  ['v1.6.1', ['--noflush']],
] as const)
  test(`iptables-restore ${version} is told ${args.join(' ')}, and all that is to change`, async () => {
    const told: (readonly string[])[] = [];
    const run: Exec['run'] = async (file, words, { input } = {}) => {
      if (file.endsWith('-restore'))
        told.push(words, typeof input === 'object' && Symbol.iterator in input ? Array.from(input, String) : []);
      return { code: 0, stdout: `iptables ${version}\n`, stderr: '' };
    };
    using iptables = new KernelIptables('', { run });
    await iptables.restore('ip', [{ table: 'nat', fill: new Map([['A', []]]) }]);
    assert.deepEqual(told, [args, ['*nat\n:A - [0:0]\n', 'COMMIT\n']]);
  });

describe('FakeIptables', () => {
  const refused: [why: string, text: string][] = [
    ['a rule that leads nowhere', '*nat\n:A - [0:0]\n-A A -j B\nCOMMIT\n'],
    ['a rule of no chain', '*nat\n-A A -j RETURN\nCOMMIT\n'],
    ['to delete what is not there', '*nat\n-D OUTPUT -j RETURN\nCOMMIT\n'],
    ['to drop a chain that is used', '*nat\n:A - [0:0]\n-A OUTPUT -j A\n-X A\nCOMMIT\n'],
    ['to drop a chain that is full', '*nat\n:A - [0:0]\n-A A -j RETURN\n-X A\nCOMMIT\n'],
  ];
  for (const [why, text] of refused)
    test(`refuses ${why}, and holds what it held`, () => {
      const fake = new FakeIptables();
      assert.throws(() => fake.restoreByOther('ip', text), { code: 'KERNEL_REFUSED' });
      assert.equal(fake.dump('ip'), '');
    });
});

const variants: readonly Variant[] = ['-nft', '-legacy'];
for (const variant of variants)
  describe(`iptables${variant}`, { skip: cannotMakeNamespaces || ((await lackingTools(variant)) ?? false), concurrency: false }, () => {
    test('holds what it is told, as the fake does, and says what it cannot', async () => {
      await using net = new Namespaces();
      await net.add('a');
      const iptables = kernelIptablesIn(net.path('a'), variant);
      const fake = new FakeIptables();
      assert.equal(await iptables.mayHold('TST-'), false);
      const rules = [
        '-s 10.0.0.0/8 ! -i br0 -p tcp -m comment --comment "a \\"b\\" c" -m tcp --dport 80 -j TST-B',
        '-j MARK --set-xmark 0x4000/0x4000',
      ];
      const sections: Section[] = [
        { table: 'nat', fill: new Map([['TST-B', []]]) },
        { table: 'nat', fill: new Map([['TST-A', rules]]), insert: new Map([['OUTPUT', ['-j TST-A']]]) },
        { table: 'filter', fill: new Map([['TST-C', ['-p tcp -j REJECT --reject-with tcp-reset']]]) },
      ];
      for (const one of [iptables, fake]) await one.restore('ip', sections);
      const kept = async (): Promise<unknown> =>
        [...(await iptables.save('ip'))]
          .sort()
          .map(([table, chains]) => [table, [...chains].filter(([name]) => /TST|OUTPUT/.test(name)).sort()]);
      const faked = async (): Promise<unknown> =>
        [...(await fake.save('ip'))]
          .sort()
          .map(([table, chains]) => [table, [...chains].filter(([name]) => /TST|OUTPUT/.test(name)).sort()]);
      assert.deepEqual(await kept(), await faked());
      assert.equal(await iptables.hasChain('ip', 'nat', 'TST-A'), true);
      assert.equal(await iptables.hasChain('ip', 'nat', 'TST-X'), false);
      assert.equal(await iptables.mayHold('TST-'), true);
      assert.equal(await iptables.mayHold('TST-', 'ip6'), false);
      assert.equal(await iptables.mayHold('TST-B'), true);
      assert.equal(await iptables.mayHold('TSU-'), false);
      await assert.rejects(iptables.restore('ip', [{ table: 'nat', remove: new Map([['OUTPUT', ['-j TST-B']]]) }]), {
        code: 'KERNEL_REFUSED',
        message: /-restore/,
      });
      for (const one of [iptables, fake])
        await one.restore('ip', [{ table: 'nat', remove: new Map([['OUTPUT', ['-j TST-A']]]), drop: ['TST-A', 'TST-B'] }]);
      assert.deepEqual(await kept(), await faked());
      iptables.close();
    });
  });

for (const variant of variants)
  test(`iptables${variant} says without a program whether a rule may be another one`, {
    skip: cannotMakeNamespaces || ((await lackingTools(variant)) ?? false),
  }, async () => {
    await using net = new Namespaces();
    await net.add('a');
    const iptables = kernelIptablesIn(net.path('a'), variant);
    const run = (tool: string, words: string): Promise<string> => mustRun(execIn(net.path('a')), `${tool}${variant}`, words.split(' '));
    for (const [family, tool] of [
      ['ip', 'iptables'],
      ['ip6', 'ip6tables'],
    ] as const) {
      const states = new Set([await iptables.state(family)]);
      for (const change of ['-t nat -N TST-A', '-t nat -A TST-A -j RETURN', '-t nat -R TST-A 1 -p tcp', '-t filter -N TST-A']) {
        await run(tool, change);
        const state = await iptables.state(family);
        assert.ok(state !== undefined && !states.has(state), `${tool} ${change}`);
        assert.equal(await iptables.state(family), state);
        states.add(state);
      }
    }
    iptables.close();
  });

test('iptables-legacy has the same state whatever its rules have counted', {
  skip: cannotMakeNamespaces || ((await lackingTools('-legacy')) ?? false),
}, async () => {
  await using net = new Namespaces();
  await net.add('a');
  const iptables = kernelIptablesIn(net.path('a'), '-legacy');
  for (const [family, tool] of [
    ['ip', 'iptables-legacy'],
    ['ip6', 'ip6tables-legacy'],
  ] as const) {
    for (const words of ['-N TST-A', '-A TST-A -p tcp -c 7 420', '-A TST-A -p udp -c 8 480'])
      await mustRun(execIn(net.path('a')), tool, words.split(' '));
    const state = await iptables.state(family);
    assert.ok(state);
    await mustRun(execIn(net.path('a')), tool, ['-Z']);
    assert.equal(await iptables.state(family), state);
    assert.equal(await iptables.mayHold('TST-', family), true);
  }
  iptables.close();
});

describe('while somebody holds the lock of iptables-legacy', {
  skip: cannotMakeNamespaces || ((await lackingTools('-legacy')) ?? false),
}, () => {
  const sections: Section[] = [{ table: 'nat', fill: new Map([['TST-A', ['-j RETURN']]]) }];

  /** The tools in a namespace, with a lock that no other test has. */
  async function withLock(work: (iptables: KernelIptables, file: string) => Promise<void>): Promise<void> {
    const dir = mkdtempSync(join(tmpdir(), 'fl-xtables-'));
    await using net = new Namespaces();
    await net.add('a');
    const file = join(dir, 'lock');
    const env = { XTABLES_LOCKFILE: file };
    const run: Exec['run'] = (tool, args, options) => execIn(net.path('a')).run(tool, args, { ...options, env });
    using iptables = kernelIptablesIn(net.path('a'), '-legacy', { run });
    try {
      await work(iptables, file);
    } finally {
      rmSync(dir, { recursive: true });
    }
  }

  test('a change waits, holds nobody up meanwhile, and is made when the lock is free', async () => {
    await withLock(async (iptables, file) => {
      await iptables.features('ip');
      // Who is held up for as long as the tool has patience finds it gone, and tries again.
      await eventually(async () => {
        const unlock = lockDirectory(file.replace(/lock$/, ''));
        const isWaitedFor = (): boolean => new RegExp(`-> FLOCK .*:${statSync(file).ino} `).test(readFileSync('/proc/locks', 'utf8'));
        const restored = iptables.restore('ip', sections);
        restored.catch(() => {});
        try {
          await eventually('who waits for the lock', isWaitedFor, { timeoutMs: 4000 });
          assert.equal((await iptables.save('ip')).get('nat')?.has('TST-A') ?? false, false);
        } finally {
          unlock();
        }
        await restored;
      });
      assert.equal(await iptables.hasChain('ip', 'nat', 'TST-A'), true);
    });
  });

  test('for longer than the tool waits, it says so, and nothing is taken for an answer', async () => {
    await withLock(async (iptables, file) => {
      await iptables.features('ip');
      const unlock = lockDirectory(file.replace(/lock$/, ''));
      const said = { code: 'COMMAND_FAILED', message: /another program held the lock of iptables/, hint: /fuser/ };
      try {
        await Promise.all([
          assert.rejects(iptables.restore('ip', sections), said),
          assert.rejects(iptables.hasChain('ip', 'nat', 'POSTROUTING'), said),
          assert.rejects(iptables.counted('ip', 'nat', 'POSTROUTING'), said),
          assert.rejects(iptables.features('ip6'), said),
        ]);
      } finally {
        unlock();
      }
      await iptables.restore('ip', sections);
      assert.equal((await iptables.features('ip6')).backend, 'legacy');
    });
  });
});

test('iptables-nft tells of changes by others alone', {
  skip: cannotMakeNamespaces || ((await lackingTools('-nft')) ?? false),
}, async () => {
  await using net = new Namespaces();
  await net.add('a');
  const iptables = kernelIptablesIn(net.path('a'), '-nft');
  await iptables.foreignChanges();
  const { promise: touched, resolve } = Promise.withResolvers<void>();
  const watch = iptables.watch('TST-', resolve);
  await iptables.restore('ip', [{ table: 'nat', fill: new Map([['TST-A', ['-j RETURN']]]) }]);
  assert.equal(await iptables.foreignChanges(), 0);
  await mustRun(execIn(net.path('a')), 'iptables-nft', ['-t', 'nat', '-F', 'TST-A']);
  await touched;
  assert.equal(await iptables.foreignChanges(), 1);
  watch.close();
  iptables.close();
});
