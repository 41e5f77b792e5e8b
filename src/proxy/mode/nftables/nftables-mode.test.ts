import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Clock, systemClock } from '../../../clock/clock.ts';
import { eventually } from '../../../clock/testing/eventually.ts';
import { FakeClock } from '../../../clock/testing/fake-clock.ts';
import { Conntrack } from '../../../linux/netlink/conntrack.ts';
import { inNetns } from '../../../linux/netns.ts';
import { KernelNftables } from '../../../linux/nftables/kernel-nftables.ts';
import { tableFamilies } from '../../../linux/nftables/table.ts';
import { FakeNftables } from '../../../linux/testing/fake-nftables.ts';
import { cannotMakeNamespaces, Namespaces } from '../../../linux/testing/namespaces.ts';
import type { ServicePlan } from '../../plan/service-plan.ts';
import { sampleNode } from '../../testing/sample-node.ts';
import { testByteCounting } from '../testing/byte-counting.ts';
import { modeConformance } from '../testing/conformance.ts';
import { testCounting } from '../testing/counting.ts';
import { settingsIn } from '../testing/settings-in.ts';
import { tableName } from './layout.ts';
import { NftablesMode } from './nftables-mode.ts';

modeConformance('nftables, in memory', async () => {
  const nft = new FakeNftables();
  const lines = (text: string): string => text.split('\n').sort().join('\n');
  return {
    mode: () => new NftablesMode(nft, { clock: new FakeClock() }),
    rules: async () => tableFamilies.map((family) => lines(nft.dump(family, tableName))).join('\n'),
    damage: () => nft.commitByOther({ family: 'ip', table: tableName, ops: [{ op: 'flush-chain', chain: 'services' }] }),
    [Symbol.asyncDispose]: async () => {},
  };
});

modeConformance(
  'nftables, in the kernel',
  async () => {
    const net = new Namespaces();
    await net.add('a');
    const nft = inNetns(net.path('a'), () => new KernelNftables());
    const run = async (...words: string[]): Promise<string> => (await net.run('a', 'nft', words)).stdout;
    return {
      mode: () => new NftablesMode(nft, { clock: new FakeClock() }),
      rules: async () => (await run('list', 'ruleset')).split('\n').sort().join('\n'),
      damage: async () => void (await run('flush', 'chain', 'ip', tableName, 'services')),
      [Symbol.asyncDispose]: async () => {
        nft.close();
        await net[Symbol.asyncDispose]();
      },
    };
  },
  cannotMakeNamespaces,
);

test('NftablesMode takes away what refuses before what serves, and everything then', async () => {
  const nft = new FakeNftables();
  const mode = new NftablesMode(nft);
  await mode.probe();
  await (await mode.open(sampleNode)).sync();
  const before = nft.transactions.length;
  await mode.cleanUp();
  assert.deepEqual(
    nft.transactions.slice(before).map(({ ops }) => ops.map((op) => ('chain' in op ? `${op.op} ${op.chain}` : op.op))),
    [['flush-chain filter-prerouting-post-dnat', 'flush-chain filter-output-post-dnat'], ['delete-table']],
  );
  assert.equal(nft.table('ip', tableName), undefined);
  mode.close();
});

function kernelMode(namespace: string, clock: Clock = systemClock): NftablesMode {
  const [nft, connections] = inNetns(namespace, () => [new KernelNftables(), new Conntrack()] as const);
  return new NftablesMode(nft, { clock, connections, settings: settingsIn(namespace), closes: true });
}

testByteCounting('nftables', kernelMode, cannotMakeNamespaces);

testCounting(
  'nftables, in the kernel',
  async (namespace) => {
    const mode = kernelMode(namespace);
    return { mode, [Symbol.asyncDispose]: async () => mode.close() };
  },
  { refusals: true, endpoints: true },
  cannotMakeNamespaces,
);

function somePlan(): ServicePlan {
  const cluster = ['10.244.0.2', '10.244.0.3'].map((ip) => ({
    name: `${ip} . 80`,
    ip,
    port: 80,
    mayBeHere: false,
  }));
  const frontend = { kind: 'cluster-ip', ip: '10.96.0.1', port: 80, inside: 'cluster', outside: 'cluster', masquerade: 'always' } as const;
  const port = { name: '', protocol: 'tcp', frontends: [frontend], cluster, local: [], serving: new Set<string>() } as const;
  return { key: 'n/some', rank: '', clusterIp: '10.96.0.1', ports: [port] };
}

describe('what somebody changed before the mode listens to the kernel', { skip: cannotMakeNamespaces }, () => {
  test('is found as it begins to listen, and nothing is looked for where nobody did', async () => {
    await using net = new Namespaces();
    await net.add('a');
    const mode = kernelMode(net.path('a'), new FakeClock());
    await mode.probe();
    const rules = await mode.open(sampleNode);
    rules.put('n/some', somePlan());
    await rules.sync();
    let told = 0;
    mode.watch(() => told++).close();
    await mode.verify();
    assert.deepEqual([told, (await rules.sync()).full], [0, false]);
    const taken = ['delete', 'element', 'ip', tableName, 'cluster-ips', '{ 10.96.0.1 }'];
    assert.equal((await net.run('a', 'nft', taken)).code, 0);
    const watch = mode.watch(() => told++);
    await eventually('the mode says that somebody was there', () => told === 1);
    await mode.verify();
    const { full, steps } = await rules.sync();
    assert.deepEqual({ full, isMended: steps > 0 }, { full: true, isMended: true });
    assert.equal((await net.run('a', 'nft', ['get', ...taken.slice(1)])).code, 0);
    watch.close();
    mode.close();
  });
});
