import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { create } from '../../../linux/nftables/diff.ts';
import type { Op } from '../../../linux/nftables/table.ts';
import { FakeNftables } from '../../../linux/testing/fake-nftables.ts';
import type { Frontend, ServicePlan } from '../../plan/service-plan.ts';
import { bareNode as node } from '../../testing/sample-node.ts';
import { tableName } from './layout.ts';
import { Ledger } from './ledger.ts';

/** A Service with endpoints behind its cluster IP, an external address and a node port, or its cluster IP alone. */
function plan(name: string, clusterIp: string, ips: readonly string[], isWide: boolean): ServicePlan {
  const target = { port: 80, inside: 'cluster', outside: 'cluster', masquerade: 'always' } as const;
  const frontends: Frontend[] = [{ kind: 'cluster-ip', ip: clusterIp, ...target }];
  if (isWide) frontends.push({ kind: 'external-ip', ip: '198.51.100.1', ...target }, { kind: 'node-port', ...target, port: 30_080 });
  const cluster = ips.map((ip) => ({ name: `${ip} . 8080`, ip, port: 8080, mayBeHere: true }));
  return {
    key: `n/${name}`,
    rank: name,
    clusterIp,
    ports: [{ name: '', protocol: 'tcp', frontends, cluster, local: [], serving: new Set() }],
  };
}

/** Applies what a ledger says, and checks that the kernel then holds what these plans want from nothing. */
async function apply(ledger: Ledger, nft: FakeNftables, ...plans: readonly ServicePlan[]): Promise<void> {
  for (const ops of ledger.changes()) await nft.commit({ family: 'ip', table: tableName, ops });
  ledger.settled();
  const fresh = new Ledger(node);
  fresh.update(new Map(plans.map((p) => [p.key, p] as const)));
  const { elements, chains } = fresh.table();
  const held = nft.table('ip', tableName);
  for (const [set, wanted] of elements)
    assert.deepEqual(new Map([...(held?.elements.get(set) ?? [])].sort()), new Map([...wanted].sort()), set);
  assert.deepEqual(held?.chains.map((c) => c.name).sort(), chains.map((c) => c.name).sort());
}

describe('Ledger', () => {
  const a = (isWide: boolean): ServicePlan => plan('a', '10.96.0.1', ['10.244.0.1', '10.244.0.2', '10.244.0.3'], isWide);
  const b = (isWide: boolean): ServicePlan => plan('b', '10.96.0.2', ['10.244.0.2', '10.244.0.9'], isWide);
  for (const order of ['who lets go first', 'who takes first'])
    test(`moves a frontend with all its endpoints from one Service to another, told of ${order}`, async () => {
      const nft = new FakeNftables();
      const ledger = new Ledger(node);
      await nft.commit({ family: 'ip', table: tableName, ops: create(ledger.table()) });
      ledger.settled();
      const update = (...plans: ServicePlan[]): Promise<void> => {
        ledger.update(new Map((order === 'who lets go first' ? plans : plans.toReversed()).map((p) => [p.key, p] as const)));
        return apply(ledger, nft, ...plans);
      };
      await update(a(true), b(false));
      await update(a(false), b(true));
      await update(b(false), a(true));
      ledger.update(new Map([['n/a', undefined]]));
      await apply(ledger, nft, b(false));
      ledger.update(new Map([['n/b', undefined]]));
      await apply(ledger, nft);
      assert.ok([...ledger.table().elements.values()].every((elements) => elements.size === 0));
    });

  test('looks for who has affinity as long as some Service has it', async () => {
    const nft = new FakeNftables();
    const ledger = new Ledger(node);
    const sticky = (of: ServicePlan): ServicePlan => ({ ...of, ports: of.ports.map((port) => ({ ...port, affinitySeconds: 60 })) });
    await nft.commit({ family: 'ip', table: tableName, ops: create(ledger.table()) });
    ledger.settled();
    const looksAfter = async (...plans: ServicePlan[]): Promise<readonly string[]> => {
      ledger.update(new Map(plans.map((p) => [p.key, p] as const)));
      await apply(ledger, nft, ...plans);
      return [...(nft.table('ip', tableName)?.elements.get('learning') ?? [])].map((element) => element.join(' : '));
    };
    assert.deepEqual(await looksAfter(a(false), b(false)), []);
    assert.deepEqual(await looksAfter(sticky(a(false)), sticky(b(false))), ['tcp : jump learning-tcp']);
    assert.deepEqual(await looksAfter(a(false), sticky(b(false))), ['tcp : jump learning-tcp']);
    assert.deepEqual(await looksAfter(a(false), b(false)), []);
  });

  test('leads to another list of sources, short or long, when all of it is there, and takes the old one away after that', async () => {
    const nft = new FakeNftables();
    const ledger = new Ledger(node);
    const guarded = (name: string, sources: readonly string[]): ServicePlan => {
      const [port] = plan(name, `10.96.0.${name.length}`, ['10.244.0.1'], false).ports;
      assert.ok(port);
      const frontends = [80, 81].map((at): Frontend => {
        const target = { inside: 'cluster', outside: 'cluster', masquerade: 'always', sources } as const;
        return { kind: 'load-balancer-ip', ip: `198.51.100.${name.length}`, port: at, ...target };
      });
      return { key: `n/${name}`, rank: name, ports: [{ ...port, frontends }] };
    };
    await nft.commit({ family: 'ip', table: tableName, ops: create(ledger.table()) });
    ledger.settled();
    const stepsTo = async (...plans: ServicePlan[]): Promise<string[]> => {
      ledger.update(new Map(plans.map((p) => [p.key, p] as const)));
      const named = (op: Op): string => `${op.op} ${'set' in op ? (typeof op.set === 'string' ? op.set : op.set.name) : ''}`;
      const steps = ledger.changes().map((ops) => ops.map((op) => named(op).replace(/-[0-9a-f]{24}/, '')).join(', '));
      await apply(ledger, nft, ...plans);
      return steps;
    };
    const [few, many] = [['10.0.0.0/8'], Array.from({ length: 300 }, (_, i) => `172.16.${i >> 8}.${i & 255}/32`)];
    const node80 = [...many, '198.51.100.1/32'];
    assert.match((await stepsTo(guarded('a', few)))[0] ?? '', /^add-chain /);
    assert.deepEqual(await stepsTo(guarded('a', [...few, '172.16.0.0/12'])), [
      'add-chain ',
      'delete-elements source-checks, add-elements source-checks',
      'delete-chain ',
    ]);
    assert.deepEqual(await stepsTo(guarded('a', many)), [
      'add-set ranges, add-elements ranges, add-chain ',
      'delete-elements source-checks, add-elements source-checks',
      'delete-chain ',
    ]);
    assert.deepEqual(await stepsTo(guarded('a', few)), [
      'add-chain ',
      'delete-elements source-checks, add-elements source-checks',
      'delete-chain , delete-set ranges',
    ]);
    const held = (): string[] => (nft.table('ip', tableName)?.sets ?? []).flatMap(({ name }) => (name.startsWith('ranges-') ? name : []));
    await stepsTo(guarded('a', many), guarded('bb', many));
    assert.equal(held().length, 1, 'who has the same list shares it');
    assert.deepEqual(await stepsTo(guarded('a', node80), guarded('bb', many)), ['add-elements own-sources']);
    // Somebody may be between the two lookups.
    assert.deepEqual((await stepsTo(guarded('a', few), guarded('bb', many))).slice(1), [
      'delete-elements source-checks, add-elements source-checks',
      'delete-elements own-sources',
    ]);
    await stepsTo(guarded('a', []), guarded('bb', []));
    assert.deepEqual(held(), []);
    assert.deepEqual([...new Set(nft.table('ip', tableName)?.elements.get('source-checks')?.values())], ['drop']);
  });

  test('says nothing of what changed back before it was applied', async () => {
    const ledger = new Ledger(node);
    ledger.update(new Map([['n/a', a(true)]]));
    ledger.settled();
    ledger.update(new Map([['n/a', b(false)]]));
    ledger.update(new Map([['n/a', a(true)]]));
    assert.deepEqual(ledger.changes(), []);
  });
});
