import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Clock, systemClock } from '../../../clock/clock.ts';
import { FakeClock } from '../../../clock/testing/fake-clock.ts';
import { Conntrack } from '../../../linux/netlink/conntrack.ts';
import { inNetns } from '../../../linux/netns.ts';
import { KernelNftables } from '../../../linux/nftables/kernel-nftables.ts';
import { tableFamilies } from '../../../linux/nftables/table.ts';
import { FakeNftables } from '../../../linux/testing/fake-nftables.ts';
import { cannotMakeNamespaces, Namespaces } from '../../../linux/testing/namespaces.ts';
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
