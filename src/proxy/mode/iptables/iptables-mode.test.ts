import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { FakeClock } from '../../../clock/testing/fake-clock.ts';
import { KnownError } from '../../../errors/known-error.ts';
import { FakeIptables } from '../../../linux/iptables/testing/fake-iptables.ts';
import { comparable, execIn, kernelIptablesIn, lackingTools } from '../../../linux/iptables/testing/kernel-in.ts';
import { trace } from '../../../linux/iptables/trace.ts';
import { cannotMakeNamespaces, Namespaces } from '../../../linux/testing/namespaces.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import type { ServicePlan } from '../../plan/service-plan.ts';
import type { ModeRules } from '../mode.ts';
import { modeConformance } from '../testing/conformance.ts';
import { IptablesMode, type Settings } from './iptables-mode.ts';

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

const node: NodeContext = {
  family: 'ip',
  nodeName: 'node1',
  local: { mode: 'None' },
  masqueradeAll: false,
  nodePortIps: 'all',
  serviceCidrs: [],
  nodeIps: [],
};

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
    mode: () => new IptablesMode({ iptables, settings }),
    rules: async () => comparable(iptables.dump('ip')),
    damage: async () => iptables.restoreByOther('ip', flush),
    [Symbol.asyncDispose]: async () => {},
  };
});

for (const variant of ['-nft', '-legacy'] as const)
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
        mode: () => new IptablesMode({ iptables, settings }),
        rules: async () => comparable((await run(`iptables${variant}-save`, [])).stdout),
        damage: async () => void (await restore(variant === '-legacy' ? flushLegacy : flush)),
        [Symbol.asyncDispose]: async () => {
          iptables.close();
          await net[Symbol.asyncDispose]();
        },
      };
    },
    cannotMakeNamespaces || ((await lackingTools(variant)) ?? false),
  );
