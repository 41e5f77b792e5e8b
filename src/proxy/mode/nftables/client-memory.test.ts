import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { FakeNftables } from '../../../linux/testing/fake-nftables.ts';
import type { Frontend, ServicePlan } from '../../plan/service-plan.ts';
import { bareNode as node } from '../../testing/sample-node.ts';
import { ClientMemory } from './client-memory.ts';
import { affinitySet, tableName } from './layout.ts';

const set = affinitySet('n/a', node);

interface Shape {
  readonly seconds?: number;
  readonly outside?: Frontend['outside'];
  readonly local?: readonly string[];
}

/** A Service at 10.96.0.1:80, 198.51.100.1:80 and node port 30080, with affinity unless told otherwise. */
function plan(ips: readonly string[], { seconds, outside = 'cluster', local = [] }: Shape = { seconds: 60 }): ServicePlan {
  const target = { port: 80, inside: 'cluster', masquerade: 'always' } as const;
  const endpoints = (list: readonly string[]): ServicePlan['ports'][number]['cluster'] =>
    list.map((ip) => ({ name: `${ip} . 8080`, ip, port: 8080, mayBeHere: false }));
  const frontends: Frontend[] = [
    { kind: 'cluster-ip', ip: '10.96.0.1', ...target, outside: 'cluster' },
    { kind: 'external-ip', ip: '198.51.100.1', ...target, outside },
    { kind: 'node-port', ...target, outside: 'cluster', port: 30_080 },
  ];
  const affinity = seconds === undefined ? {} : { affinitySeconds: seconds };
  const lists = { cluster: endpoints(ips), local: endpoints(local), serving: new Set<string>() };
  return { key: 'n/a', rank: '', clusterIp: '10.96.0.1', ports: [{ name: '', protocol: 'tcp', frontends, ...lists, ...affinity }] };
}

/** client . frontend: endpoint, as the rules learn them. */
const remembered: readonly (readonly [string, string])[] = [
  ['10.0.0.1 . 10.96.0.1 . tcp . 80', '10.244.0.1 . 8080'],
  ['10.0.0.2 . 10.96.0.1 . tcp . 80', '10.244.0.2 . 8080'],
  ['10.0.0.3 . 198.51.100.1 . tcp . 80', '10.244.0.1 . 8080'],
  ['10.0.0.4 . 192.168.1.1 . tcp . 30080', '10.244.0.1 . 8080'],
  ['10.0.0.5 . 192.168.1.1 . tcp . 30080', '10.244.0.2 . 8080'],
];

let nft: FakeNftables;
let memory: ClientMemory;

/** The clients, by the last number of their address, that are still remembered after Services went from one plan to the other. */
async function kept(before: ServicePlan | undefined, after: ServicePlan | undefined, all = false): Promise<number[]> {
  memory.changed('n/a', before, after);
  await memory.forget(new Map(after ? [['n/a', after]] : []), node, all);
  return [...(await nft.readElements('ip', tableName, set)).keys()].map((key) => Number(/^10\.0\.0\.(\d)/.exec(key)?.[1])).sort();
}

describe('ClientMemory', () => {
  beforeEach(async () => {
    nft = new FakeNftables();
    memory = new ClientMemory(nft);
    await nft.commit({
      family: 'ip',
      table: tableName,
      ops: [{ op: 'add-table' }, { op: 'add-set', set }, { op: 'add-elements', set, elements: remembered }],
    });
    nft.transactions = [];
  });

  test('forgets who was with an endpoint that has gone, at addresses and at node ports', async () => {
    assert.deepEqual(await kept(plan(['10.244.0.1', '10.244.0.2']), plan(['10.244.0.1'])), [1, 3, 4]);
  });

  test('forgets nobody while all endpoints are there, and asks the kernel for nothing then', async () => {
    assert.deepEqual(await kept(plan(['10.244.0.1', '10.244.0.2']), plan(['10.244.0.2', '10.244.0.1', '10.244.0.3'])), [1, 2, 3, 4, 5]);
    assert.deepEqual(nft.transactions, []);
  });

  test('an endpoint of either list is there', async () => {
    assert.deepEqual(
      await kept(plan(['10.244.0.1', '10.244.0.2']), plan(['10.244.0.1'], { seconds: 60, local: ['10.244.0.2'] })),
      [1, 2, 3, 4, 5],
    );
  });

  test('forgets all clients of a frontend that chooses from another list now, and those of no other', async () => {
    const both = ['10.244.0.1', '10.244.0.2'];
    assert.deepEqual(await kept(plan(both), plan(both, { seconds: 60, outside: 'local', local: both })), [1, 2, 4, 5]);
  });

  test('remembers which frontends changed until it is asked to forget', async () => {
    const both = ['10.244.0.1', '10.244.0.2'];
    const rerouted = plan(both, { seconds: 60, outside: 'drop' });
    memory.changed('n/a', plan(both), rerouted);
    assert.deepEqual(await kept(rerouted, plan(both)), [1, 2, 4, 5]);
  });

  test('looks no more once that is done', async () => {
    await kept(plan(['10.244.0.1', '10.244.0.2']), plan(['10.244.0.1']));
    nft.transactions = [];
    // A packet that was under way teaches the kernel once more.
    await nft.commit({ family: 'ip', table: tableName, ops: [{ op: 'add-elements', set, elements: [remembered[1]!] }] });
    await memory.forget(new Map([['n/a', plan(['10.244.0.1'])]]), node, false);
    assert.equal(nft.transactions.length, 1, 'that of the test');
  });

  for (const [what, before, after] of [
    ['had no affinity', plan([], {}), plan([])],
    ['is new', undefined, plan([])],
    ['has no affinity any more, since its set goes', plan(['10.244.0.1', '10.244.0.2']), plan([], {})],
    ['has gone, since its set goes', plan(['10.244.0.1', '10.244.0.2']), undefined],
  ] as const)
    test(`leaves alone a Service that ${what}`, async () => {
      assert.deepEqual(await kept(before, after), [1, 2, 3, 4, 5]);
      assert.deepEqual(nft.transactions, []);
    });

  test('looks at every Service with affinity when nobody knows what the kernel remembers', async () => {
    const now = plan(['10.244.0.2']);
    await memory.forget(new Map([['n/a', now]]), node, false);
    assert.deepEqual(nft.transactions, []);
    await memory.forget(
      new Map([
        ['n/b', { ...plan([], {}), key: 'n/b' }],
        ['n/a', now],
      ]),
      node,
      true,
    );
    assert.deepEqual(await kept(undefined, now), [2, 5]);
  });

  test('reads again when one of them ran out in between, but not for ever', async () => {
    const refusals = { commits: 0, until: 3 };
    const failing = {
      readElements: nft.readElements.bind(nft),
      commit: async (transaction: Parameters<FakeNftables['commit']>[0]): Promise<void> => {
        refusals.commits++;
        if (refusals.commits < refusals.until) throw new Error('ENOENT');
        await nft.commit(transaction);
      },
    };
    memory = new ClientMemory(failing);
    assert.deepEqual(await kept(plan(['10.244.0.1', '10.244.0.2']), plan(['10.244.0.1'])), [1, 3, 4]);
    assert.equal(refusals.commits, 3);
    refusals.until = Number.POSITIVE_INFINITY;
    refusals.commits = 0;
    await assert.rejects(kept(plan(['10.244.0.1']), plan([])), { message: 'ENOENT' });
    assert.equal(refusals.commits, 5);
  });
});
