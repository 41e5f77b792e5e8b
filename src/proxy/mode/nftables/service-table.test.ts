import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { FakeClock } from '../../../clock/testing/fake-clock.ts';
import { KnownError } from '../../../errors/known-error.ts';
import { FakeNftables } from '../../../linux/testing/fake-nftables.ts';
import type { ServicePlan } from '../../plan/service-plan.ts';
import { bareNode as node } from '../../testing/sample-node.ts';
import { tableName } from './layout.ts';
import { ServiceTable } from './service-table.ts';

function plan(name: string, endpoints: readonly string[]): ServicePlan {
  const frontends = [
    { kind: 'cluster-ip', ip: '10.96.0.1', port: 80, inside: 'cluster', outside: 'cluster', masquerade: 'always' } as const,
  ];
  const cluster = endpoints.map((ip) => ({ name: `${ip} . 8080`, ip, port: 8080, mayBeHere: false }));
  return {
    key: name,
    rank: '',
    clusterIp: '10.96.0.1',
    ports: [{ name: '', protocol: 'tcp', frontends, cluster, local: [], serving: new Set() }],
  };
}

let nft: FakeNftables;
let reads: number;
let table: ServiceTable;

async function begin(): Promise<void> {
  const read: FakeNftables['read'] = (...which) => {
    reads++;
    return nft.read(...which);
  };
  const kernel = {
    connections: { flowsOf: async () => [] },
    commit: nft.commit.bind(nft),
    readElements: nft.readElements.bind(nft),
    readCounters: nft.readCounters.bind(nft),
    generation: nft.generation.bind(nft),
    read,
  };
  table = new ServiceTable(kernel, node, new FakeClock());
  await table.open();
}

/** The endpoint of each slot, in order: one that is alone has two. */
function held(): (string | undefined)[] {
  const elements = nft.table('ip', tableName)?.elements.get('endpoints');
  return [...new Set([...(elements ?? [])].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, endpoint]) => endpoint.split(' ')[0]))];
}

describe('ServiceTable', () => {
  beforeEach(async () => {
    nft = new FakeNftables();
    reads = 0;
    await begin();
    table.put('n/a', plan('n/a', ['10.244.0.1', '10.244.0.2', '10.244.0.3']));
    assert.equal((await table.sync()).full, true);
  });

  test('an endpoint that goes leaves its slot to the last one; the others stay', async () => {
    table.put('n/a', plan('n/a', ['10.244.0.2', '10.244.0.3']));
    assert.deepEqual(await table.sync(), { full: false, steps: 4 });
    assert.deepEqual(held(), ['10.244.0.3', '10.244.0.2']);
    table.put('n/a', plan('n/a', ['10.244.0.1', '10.244.0.2', '10.244.0.3']));
    await table.sync();
    assert.deepEqual(held(), ['10.244.0.3', '10.244.0.2', '10.244.0.1']);
  });

  test('a Service that goes takes its elements along', async () => {
    table.put('n/a', undefined);
    await table.sync();
    assert.deepEqual(held(), []);
  });

  test('what a Service with affinity needs is there as long as it has it', async () => {
    const names = (): string[] => {
      const { chains = [], sets = [] } = nft.table('ip', tableName) ?? {};
      return [...chains, ...sets].map(({ name }) => name).sort();
    };
    const before = names();
    const { ports, ...rest } = plan('n/a', ['10.244.0.1', '10.244.0.2', '10.244.0.3']);
    table.put('n/a', { ...rest, ports: ports.map((port) => ({ ...port, affinitySeconds: 60 })) });
    await table.sync();
    assert.deepEqual(
      names().filter((name) => !before.includes(name)),
      ['affinity-of-n/a', 'learn-60-n/a', 'recall-n/a'],
    );
    table.put('n/a', { ...rest, ports });
    await table.sync();
    assert.deepEqual(names(), before);
  });

  test('endpoints keep their slots when the node changes, and over a restart', async () => {
    table.put('n/a', plan('n/a', ['10.244.0.2', '10.244.0.3']));
    await table.sync();
    table.reset({ ...node, masqueradeAll: true });
    table.put('n/a', plan('n/a', ['10.244.0.2', '10.244.0.3']));
    assert.equal((await table.sync()).full, true);
    assert.deepEqual(held(), ['10.244.0.3', '10.244.0.2']);
    await begin();
    table.reset({ ...node, masqueradeAll: true });
    table.put('n/a', plan('n/a', ['10.244.0.2', '10.244.0.3']));
    assert.deepEqual(await table.sync(), { full: true, steps: 0 });
    assert.deepEqual(held(), ['10.244.0.3', '10.244.0.2']);
  });

  test('reads the kernel once when it begins, and again only when somebody changed it meanwhile', async () => {
    reads = 0;
    await begin();
    table.put('n/a', plan('n/a', ['10.244.0.1', '10.244.0.2', '10.244.0.3']));
    await table.sync();
    assert.equal(reads, 1);
    await begin();
    await nft.commitByOther({ family: 'ip', table: 'other', ops: [{ op: 'add-table' }] });
    await table.sync();
    assert.equal(reads, 3);
  });

  test('what was refused is compared with the kernel the next time, and made anew when that fails, too', async () => {
    nft.failure = new KnownError('KERNEL_REFUSED', 'no');
    table.put('n/a', plan('n/a', ['10.244.0.9']));
    await assert.rejects(table.sync());
    nft.failure = undefined;
    assert.equal((await table.sync()).full, true);
    assert.deepEqual(held(), ['10.244.0.9']);
    assert.equal((await table.sync()).full, false);
    table.distrust();
    // Refused once, as by a kernel whose table is not what it was read as.
    const { commit } = nft;
    let refusals = 1;
    nft.commit = async (transaction) => {
      if (refusals-- > 0) throw new KnownError('KERNEL_REFUSED', 'no');
      await commit.call(nft, transaction);
    };
    await begin();
    table.put('n/a', plan('n/a', ['10.244.0.8']));
    assert.equal((await table.sync()).full, true);
    assert.deepEqual(held(), ['10.244.0.8']);
    const [replaced, refusing] = nft.transactions.slice(-2).map(({ ops }) => ops.map(({ op }) => op));
    assert.deepEqual(replaced?.slice(0, 3), ['add-table', 'delete-table', 'add-table']);
    assert.deepEqual(new Set(refusing), new Set(['add-chain', 'add-rule']), 'what refuses comes when all else is there');
  });

  test('another failure is passed on, and nothing is made anew', async () => {
    nft.failure = new KnownError('KERNEL_FEATURE_MISSING', 'no sets');
    table.distrust();
    table.put('n/a', plan('n/a', ['10.244.0.9']));
    const sent = nft.messagesSent;
    await assert.rejects(table.sync(), { message: 'no sets' });
    assert.ok(nft.messagesSent - sent < 10, 'the change alone');
  });

  test('a small table is compared whole by each look; a large one only by a deep look, or when its rules differ', async () => {
    await table.verify(false);
    assert.equal((await table.sync()).full, true, 'a small one');
    const many = Array.from({ length: 20_001 }, (_, i) => `10.${200 + (i >> 14)}.${(i >> 8) & 63}.${i & 255}`);
    table.put('n/a', plan('n/a', many));
    await table.sync();
    await table.verify(false);
    assert.equal((await table.sync()).full, false, 'a large one');
    await table.verify(true);
    assert.equal((await table.sync()).full, true, 'deep');
    await nft.commitByOther({ family: 'ip', table: tableName, ops: [{ op: 'flush-chain', chain: 'services' }] });
    await table.verify(false);
    assert.equal((await table.sync()).full, true, 'rules that differ');
  });
});
