import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { FakeClock } from '../../../clock/testing/fake-clock.ts';
import { KnownError } from '../../../errors/known-error.ts';
import { FakeIptables } from '../../../linux/iptables/testing/fake-iptables.ts';
import { comparable, execIn, kernelIptablesIn, lackingTools } from '../../../linux/iptables/testing/kernel-in.ts';
import { trace } from '../../../linux/iptables/trace.ts';
import { Conntrack } from '../../../linux/netlink/conntrack.ts';
import { inNetns } from '../../../linux/netns.ts';
import { tableFamilies } from '../../../linux/nftables/table.ts';
import { cannotMakeNamespaces, Namespaces } from '../../../linux/testing/namespaces.ts';
import type { ServicePlan } from '../../plan/service-plan.ts';
import { bareNode as node } from '../../testing/sample-node.ts';
import type { Settings } from '../flow-accounting.ts';
import type { ModeRules } from '../mode.ts';
import { testByteCounting } from '../testing/byte-counting.ts';
import { modeConformance } from '../testing/conformance.ts';
import { testCounting } from '../testing/counting.ts';
import { settingsIn } from '../testing/settings-in.ts';
import { IptablesMode } from './iptables-mode.ts';

const settings: Settings = { read: () => '0', set: () => {} };
/** Chains that the kubelet has for itself, and rules of others: they stay whatever happens. */
const others = `*mangle
:KUBE-IPTABLES-HINT - [0:0]
:KUBE-KUBELET-CANARY - [0:0]
COMMIT
*nat
:DOCKER - [0:0]
-I OUTPUT -j DOCKER
COMMIT
*filter
-A INPUT -j ACCEPT
COMMIT
`;
const flush = '*nat\n:KUBE-SERVICES - [0:0]\nCOMMIT\n';
/** Of what the legacy backend changes nobody hears: the canary has to go, too. */
const flushLegacy = flush.replace('COMMIT', ':KUBE-PROXY-CANARY - [0:0]\n-X KUBE-PROXY-CANARY\nCOMMIT');

describe('IptablesMode', () => {
  let iptables: FakeIptables;
  let clock: FakeClock;
  let mode: IptablesMode;
  let rules: ModeRules;
  beforeEach(async () => {
    iptables = new FakeIptables();
    clock = new FakeClock();
    mode = new IptablesMode({ iptables, settings, clock });
    await mode.probe();
    rules = await mode.open(node);
    await rules.sync();
  });
  /** Whether the next sync compares everything. */
  const compares = async (): Promise<boolean> => {
    await mode.verify();
    return (await rules.sync()).full;
  };
  const foreign = '*nat\n:DOCKER - [0:0]\nCOMMIT\n';

  test('compares few rules whenever somebody changed any, and many only when the canary is gone', async () => {
    assert.equal(await compares(), false);
    iptables.restoreByOther('ip', foreign);
    assert.equal(await compares(), true);
    const service = (n: number): ServicePlan => ({ key: `n/${n}`, rank: '', ports: [] });
    for (let n = 0; n <= 1000; n++) rules.put(`n/${n}`, service(n));
    await rules.sync();
    iptables.restoreByOther('ip', foreign);
    assert.equal(await compares(), false);
    iptables.restoreByOther('ip', '*mangle\n:KUBE-PROXY-CANARY - [0:0]\n-X KUBE-PROXY-CANARY\nCOMMIT\n');
    assert.equal(await compares(), true);
  });

  test('compares at once what it hears of, and everything within the hour', async () => {
    let heard = 0;
    const watch = mode.watch(() => heard++);
    iptables.restoreByOther('ip', foreign);
    assert.equal(heard, 1);
    assert.equal(await compares(), true);
    watch.close();
    assert.equal(await compares(), false);
    await clock.advance(3_600_000);
    assert.equal(await compares(), true);
    assert.equal(await compares(), false);
  });

  test('looks for the canary of the legacy backend, which tells of nothing', async () => {
    iptables.found = { backend: 'legacy', randomFully: true };
    iptables.restoreByOther('ip', foreign);
    assert.equal(await compares(), false);
    iptables.restoreByOther('ip', '*filter\n:KUBE-PROXY-CANARY - [0:0]\n-X KUBE-PROXY-CANARY\nCOMMIT\n');
    assert.equal(await compares(), true);
  });

  test('offers no source-hash to a kernel that cannot', async () => {
    assert.ok(mode.algorithms.includes('source-hash'));
    iptables.failure = new KnownError('KERNEL_REFUSED', 'no');
    await mode.probe();
    assert.deepEqual(mode.algorithms, ['random', 'round-robin', 'least-connection']);
  });

  for (const lacking of ['ip', 'ip6'] as const)
    test(`works on a machine that lacks the tools of "${lacking}"`, async () => {
      const other = lacking === 'ip' ? 'ip6' : 'ip';
      const tools = new FakeIptables();
      tools.lacking = lacking;
      const here = new IptablesMode({ iptables: tools, settings });
      await here.probe();
      assert.ok(here.algorithms.includes('source-hash'), 'what the kernel has is tried where it can be');
      await (await here.open({ ...node, family: other })).sync();
      assert.match(tools.dump(other), /KUBE-SERVICES/);
      await assert.rejects(here.open({ ...node, family: lacking }), { code: 'TOOL_MISSING' });
      await here.cleanUp();
      assert.doesNotMatch(tools.dump(other), /KUBE-/);
    });

  test('takes its own rules away in both families and in both backends, and closes loopback first', async () => {
    const done: string[] = [];
    const other = new FakeIptables();
    other.restoreByOther('ip6', '*nat\n:KUBE-SVC-A - [0:0]\nCOMMIT\n');
    const log: Settings = {
      read: () => '0',
      set: (name, value) => done.push(`${name}=${value} ${iptables.dump('ip').includes('KUBE-FIREWALL')}`),
    };
    await new IptablesMode({ iptables, settings: log, otherBackend: async () => other }).cleanUp();
    assert.deepEqual(done, ['net/ipv4/conf/all/route_localnet=0 true']);
    assert.ok(!`${iptables.dump('ip')}${other.dump('ip6')}`.includes('KUBE-'));
  });

  test('has the mark that it is told, and drops nothing as invalid where the kernel is liberal', async () => {
    const liberal = new IptablesMode({
      iptables,
      settings: { ...settings, read: () => '1' },
      masqueradeBit: 31,
      localhostNodePorts: false,
    });
    await (await liberal.open(node)).sync();
    const text = iptables.dump('ip');
    assert.match(text, /-A KUBE-MARK-MASQ -j MARK --set-xmark 0x80000000\/0x80000000/);
    assert.doesNotMatch(text, /INVALID/);
    assert.match(text, /-A KUBE-SERVICES ! -d 127\.0\.0\.0\/8 /);
  });

  /** What it counts now, by metric and labels. */
  const figures = async (): Promise<Record<string, number>> => {
    const all: Record<string, number> = {};
    for (const { name, read } of mode.figures)
      for (const [labels, value] of await read()) all[[name, ...Object.values(labels)].join(' ')] = value;
    return all;
  };

  test('counts its rules and those that it wrote, changes that were refused, and what was dropped as invalid', async () => {
    const total = 'sync_proxy_rules_iptables_total IPv4';
    const last = 'sync_proxy_rules_iptables_last IPv4';
    /** Rules of KUBE chains, and those that lead to them. */
    const held = (table: string): number => (iptables.dump('ip').split(`*${table}`)[1]?.split('COMMIT')[0]?.match(/^-A/gm) ?? []).length;
    const empty = await figures();
    assert.deepEqual([empty[`${total} nat`], empty[`${total} filter`]], [held('nat'), held('filter')]);
    assert.equal(empty[`${last} nat`], held('nat'));
    const port = (endpoints: readonly string[]): ServicePlan['ports'][number] => ({
      name: '',
      protocol: 'tcp',
      frontends: [
        {
          kind: 'cluster-ip',
          ip: '10.96.0.1',
          port: 80,
          masquerade: 'outside-pods',
          inside: endpoints.length > 0 ? 'cluster' : 'refuse',
          outside: endpoints.length > 0 ? 'cluster' : 'refuse',
        },
      ],
      cluster: endpoints.map((ip) => ({ name: `${ip} . 80`, ip, port: 80, mayBeHere: false })),
      local: [],
      serving: new Set(),
    });
    for (const endpoints of [['10.244.1.2', '10.244.1.3'], ['10.244.1.2'], [], undefined]) {
      rules.put('n/web', endpoints && { key: 'n/web', rank: '', ports: [port(endpoints)] });
      await rules.sync();
      const now = await figures();
      assert.deepEqual([now[`${total} nat`], now[`${total} filter`]], [held('nat'), held('filter')], String(endpoints));
      if (endpoints?.length === 1) assert.equal(now[`${last} nat`], 1);
      if (endpoints?.length === 0) assert.deepEqual([now[`${last} nat`], now[`${last} filter`]], [0, 1]);
    }
    rules.put('n/web', { key: 'n/web', rank: '', ports: [port(['10.244.1.2'])] });
    iptables.failure = new KnownError('KERNEL_REFUSED', 'no');
    await assert.rejects(rules.sync());
    await assert.rejects(rules.sync());
    iptables.failure = undefined;
    await rules.sync();
    iptables.met('--ctstate INVALID', 7);
    const now = await figures();
    assert.equal(now['sync_proxy_rules_iptables_partial_restore_failures_total IPv4'], 1);
    assert.equal(now.iptables_ct_state_invalid_dropped_packets_total, 7);
    assert.equal(now[`${total} nat`], held('nat'));
  });

  test('lets nobody reach loopback from the wire but by node ports', async () => {
    const packet = (to: string) => ({ from: '192.168.120.1', sourcePort: 40_000, to, port: 10_250, protocol: 'tcp', interface: 'eth0' });
    const nodeIps = ['192.168.120.11', '127.0.0.1'];
    assert.equal(trace(await iptables.save('ip'), packet('127.0.0.1'), { nodeIps }).kind, 'dropped');
    assert.equal(trace(await iptables.save('ip'), packet('192.168.120.11'), { nodeIps }).kind, 'passed');
  });
});

modeConformance('iptables, in memory', async () => {
  const iptables = new FakeIptables();
  iptables.restoreByOther('ip', others);
  return {
    mode: () => new IptablesMode({ iptables, settings, clock: new FakeClock() }),
    rules: async () => comparable(`${iptables.dump('ip')}\n${iptables.dump('ip6')}`),
    damage: async () => iptables.restoreByOther('ip', flush),
    [Symbol.asyncDispose]: async () => {},
  };
});

for (const variant of ['-nft', '-legacy'] as const) {
  const lacking = cannotMakeNamespaces || ((await lackingTools(variant)) ?? false);
  modeConformance(
    `iptables${variant}, in the kernel`,
    async () => {
      const net = new Namespaces();
      await net.add('a');
      const { run } = execIn(net.path('a'));
      const iptables = kernelIptablesIn(net.path('a'), variant);
      const restore = (input: string): Promise<unknown> => run(`iptables${variant}-restore`, ['--noflush'], { input });
      await restore(others);
      return {
        mode: () => new IptablesMode({ iptables, settings, clock: new FakeClock() }),
        rules: async () => {
          const saved = await Promise.all(tableFamilies.map((family) => run(`${family}tables${variant}-save`, [])));
          return comparable(saved.map(({ stdout }) => stdout).join('\n'));
        },
        damage: async () => void (await restore(variant === '-legacy' ? flushLegacy : flush)),
        [Symbol.asyncDispose]: async () => {
          iptables.close();
          await net[Symbol.asyncDispose]();
        },
      };
    },
    lacking,
  );
  testByteCounting(
    `iptables${variant}`,
    (namespace, clock) => {
      const connections = inNetns(namespace, () => new Conntrack());
      return new IptablesMode({
        iptables: kernelIptablesIn(namespace, variant),
        clock,
        connections,
        settings: settingsIn(namespace),
        closes: true,
      });
    },
    lacking,
  );
  testCounting(
    `iptables${variant}, in the kernel`,
    async (namespace) => {
      const iptables = kernelIptablesIn(namespace, variant);
      const mode = new IptablesMode({ iptables, settings });
      return {
        mode,
        [Symbol.asyncDispose]: async () => {
          mode.close();
          iptables.close();
        },
      };
    },
    { refusals: true, endpoints: true },
    lacking,
  );
}
