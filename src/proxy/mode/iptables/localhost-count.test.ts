/** Packets to node ports at 127.0.0.1, which kube-proxy counts to tell who would miss them in another mode. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { eventually } from '../../../clock/testing/eventually.ts';
import { KnownError } from '../../../errors/known-error.ts';
import { FakeIptables } from '../../../linux/iptables/testing/fake-iptables.ts';
import { kernelIptablesIn, lackingTools } from '../../../linux/iptables/testing/kernel-in.ts';
import { KernelPacketAccounts, type PacketAccounts } from '../../../linux/netlink/packet-accounts.ts';
import { inNetns } from '../../../linux/netns.ts';
import { cannotMakeNamespaces, Namespaces } from '../../../linux/testing/namespaces.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import type { ServicePlan } from '../../plan/service-plan.ts';
import { bareNode, sampleNode } from '../../testing/sample-node.ts';
import { settingsIn } from '../testing/settings-in.ts';
import { IptablesMode } from './iptables-mode.ts';
import { view } from './view.ts';

const account = 'localhost_nps_accepted_pkts';

class FakeAccounts implements PacketAccounts {
  readonly held = new Map<string, number>();

  async ensure(name: string): Promise<boolean> {
    this.held.set(name, this.held.get(name) ?? 0);
    return true;
  }

  async packets(name: string): Promise<number | undefined> {
    return this.held.get(name);
  }

  /** How often a rule still adds to one. */
  busy = 0;

  async remove(name: string): Promise<boolean> {
    if (this.busy-- > 0) return false;
    this.held.delete(name);
    return true;
  }

  close(): void {}
}

function planOf(name: string, nodePort: number): ServicePlan {
  const frontend = { kind: 'node-port', port: nodePort, masquerade: 'always', inside: 'cluster', outside: 'cluster' } as const;
  const endpoint = { name: '192.168.120.11 . 8080', ip: '192.168.120.11', port: 8080, mayBeHere: true };
  return {
    key: `n/${name}`,
    rank: '',
    ports: [{ name: '', protocol: 'tcp', frontends: [frontend], cluster: [endpoint], local: [], serving: new Set() }],
  };
}

const settings = { read: () => '0', set: () => {} };
const counting = `-m nfacct --nfacct-name  ${account} -j`;

async function toldBy(mode: IptablesMode): Promise<number | undefined> {
  const figure = mode.figures.find(({ name }) => name === 'iptables_localhost_nodeports_accepted_packets_total');
  return (await figure?.read())?.[0]?.[1];
}

describe('packets to node ports at 127.0.0.1', () => {
  /** Rules add to an account that is there, as in the kernel. */
  function iptablesWith(accounts: FakeAccounts): FakeIptables {
    const iptables = new FakeIptables();
    const restore = iptables.restore.bind(iptables);
    iptables.restore = async (family, sections) => {
      const all = [...sections];
      const isCounting = JSON.stringify(all.map(({ fill }) => [...(fill ?? [])])).includes(account);
      if (isCounting && !accounts.held.has(account))
        throw new KnownError('KERNEL_REFUSED', 'RULE_APPEND failed (No such file or directory)');
      await restore(family, all);
    };
    return iptables;
  }

  async function at(node: NodeContext, more: Partial<ConstructorParameters<typeof IptablesMode>[0]> = {}) {
    const accounts = new FakeAccounts();
    const iptables = iptablesWith(accounts);
    const mode = new IptablesMode({ iptables, settings, accounts, ...more });
    await mode.probe();
    const rules = await mode.open(node);
    rules.put('n/a', planOf('a', 30_001));
    await rules.sync();
    /** In which a packet meets them. */
    const nodePorts = (): string[] =>
      iptables
        .dump(node.family)
        .split('\n')
        .filter((line) => line.startsWith('-A KUBE-NODEPORTS') && line.includes('-j KUBE-EXT'));
    return { iptables, accounts, mode, rules, nodePorts };
  }

  test('meet a rule that counts them before the one for all packets, of a Service that came later, too', async () => {
    const { rules, nodePorts } = await at(bareNode);
    rules.put('n/b', planOf('b', 30_002));
    await rules.sync();
    for (const port of [30_001, 30_002]) {
      const [first, second, ...more] = nodePorts().filter((rule) => rule.includes(`--dport ${port} `));
      assert.match(first ?? '', /^-A KUBE-NODEPORTS -d 127\.0\.0\.0\/8 -p tcp /);
      assert.ok(first?.includes(counting), first);
      assert.equal(second, first?.replace('-d 127.0.0.0/8 ', '').replace(counting, '-j'));
      assert.equal(more.length, 0);
    }
    rules.distrust();
    assert.deepEqual(await rules.sync(), { full: true, steps: 0 });
  });

  const without: readonly (readonly [what: string, node: NodeContext, more?: { localhostNodePorts: boolean }])[] = [
    ['at the primary address alone', sampleNode],
    ['nowhere at loopback', bareNode, { localhostNodePorts: false }],
    ['of IPv6', { ...bareNode, family: 'ip6' }],
  ];
  for (const [what, node, more] of without)
    test(`are not asked for where node ports are ${what}`, async () => {
      const { nodePorts, mode } = await at(node, more);
      assert.equal(nodePorts().length, 1);
      assert.equal(await toldBy(mode), 0);
    });

  test('are counted again after another program took rules and account away', async () => {
    const { iptables, accounts, rules, nodePorts } = await at(bareNode);
    await new IptablesMode({ iptables, settings, accounts }).cleanUp();
    assert.deepEqual([...accounts.held], []);
    rules.distrust();
    await rules.sync();
    assert.equal(nodePorts().filter((rule) => rule.includes(counting)).length, 1);
    assert.ok(accounts.held.has(account));
  });

  test('are told as the kernel counts them, and not at all where it keeps no accounts', async () => {
    const { accounts, mode } = await at(bareNode);
    accounts.held.set(account, 7);
    assert.equal(await toldBy(mode), 7);
    accounts.busy = 3;
    await mode.cleanUp();
    assert.deepEqual([...accounts.held], []);
    assert.equal(await toldBy(new IptablesMode({ iptables: new FakeIptables(), settings })), undefined);
  });

  test('have their rule among those that are shown, as they are programmed', async () => {
    const { nodePorts } = await at(bareNode);
    const plan = planOf('a', 30_001);
    const rendered = view.render([plan], bareNode).text.split('\n');
    assert.deepEqual(
      rendered.filter((line) => line.startsWith('-A KUBE-NODEPORTS')),
      nodePorts(),
    );
    const shown = view.explain(plan, bareNode).filter(({ text }) => text.includes(counting));
    assert.deepEqual(
      shown.map(({ text }) => text),
      nodePorts().flatMap((rule) => (rule.includes(counting) ? `iptables -t nat ${rule}` : [])),
    );
    assert.match(shown[0]?.why ?? '', /127\.0\.0\.0\/8, which kubeproxy_iptables_localhost_nodeports_accepted_packets_total counts$/);
    for (const [node, options] of [[bareNode, { keepsAccounts: false }], [bareNode, { localhostNodePorts: false }], [sampleNode]] as const)
      assert.doesNotMatch(view.render([plan], node, options).text, /nfacct/);
  });

  test('leave the account of both families for the last of them, without a long wait', async () => {
    const { accounts, mode } = await at(bareNode);
    const invalid = 'ct_state_invalid_dropped_pkts';
    accounts.held.set(invalid, 0);
    const remove = accounts.remove.bind(accounts);
    let asked = 0;
    let isUsed = true;
    accounts.remove = async (name) => {
      if (name === invalid) asked++;
      return name === invalid && isUsed ? false : await remove(name);
    };
    await mode.cleanUp(['ip']);
    assert.deepEqual([...accounts.held.keys()], [invalid]);
    assert.ok(asked <= 2, `asked ${asked} times`);
    isUsed = false;
    await mode.cleanUp(['ip6']);
    assert.deepEqual([...accounts.held], []);
  });

  test('are served uncounted where the kernel lacks the match, which takes nothing else away', async () => {
    const iptables = new FakeIptables();
    const restore = iptables.restore.bind(iptables);
    iptables.restore = async (family, sections) => {
      const all = [...sections];
      if (JSON.stringify(all.map(({ fill }) => [...(fill ?? [])])).includes('nfacct')) throw new KnownError('KERNEL_REFUSED', 'no');
      await restore(family, all);
    };
    const { mode, accounts } = await at(bareNode, { iptables });
    assert.deepEqual([...accounts.held], [], 'who looks takes it for one that rules add to');
    assert.match(iptables.dump('ip'), /--dport 30001 -j KUBE-EXT/);
    assert.doesNotMatch(iptables.dump('ip'), /nfacct/);
    assert.ok(mode.algorithms.includes('source-hash'));
  });
});

/** Says back what it hears. */
const server = "require('net').createServer((c) => c.pipe(c)).listen(8080, () => console.log('listening'))";
const client = `require('net').connect(Number(process.argv[2]), process.argv[1]).on('close', () => {}).resume().end('x')`;

for (const variant of ['-nft', '-legacy'] as const) {
  const skip = cannotMakeNamespaces || ((await lackingTools(variant)) ?? false);
  test(`iptables${variant} counts connections to node ports at 127.0.0.1, and no others`, { skip }, async (t) => {
    await using net = new Namespaces();
    await net.underlay('lan', { node: '192.168.120.11' });
    const accounts = await inNetns(net.path('node'), () => KernelPacketAccounts.open());
    if (!accounts) return t.skip('the kernel keeps no accounts of packets');
    const serving = net.start('node', process.execPath, ['-e', server], ['ignore', 'pipe', 'inherit']);
    await once(serving.stdout as NonNullable<typeof serving.stdout>, 'data');
    const iptables = kernelIptablesIn(net.path('node'), variant);
    const mode = new IptablesMode({ iptables, accounts, settings: settingsIn(net.path('node')) });
    try {
      await mode.probe();
      const rules = await mode.open(bareNode);
      rules.put('n/a', planOf('a', 30_001));
      await rules.sync();
      rules.put('n/b', planOf('b', 30_002));
      await rules.sync();
      rules.distrust();
      assert.deepEqual(await rules.sync(), { full: true, steps: 0 }, 'the kernel prints them as they are written');
      for (const [from, host, port] of [
        ['node', '127.0.0.1', '30001'],
        ['node', '127.0.0.1', '30002'],
        ['node', '192.168.120.11', '30001'],
        ['lan', '192.168.120.11', '30002'],
      ] as const) {
        const { code, stderr } = await net.run(from, process.execPath, ['-e', client, host, port]);
        assert.equal(code, 0, stderr);
      }
      await eventually(async () => assert.equal(await toldBy(mode), 2));
      await mode.cleanUp();
      assert.equal(await accounts.packets(account), undefined);
    } finally {
      mode.close();
      iptables.close();
      accounts.close();
    }
  });
}
