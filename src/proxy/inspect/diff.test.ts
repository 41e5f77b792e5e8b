/** The dry run of every mode, over kernels in memory. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { objectKey } from '../../api/object-key.ts';
import { dryRun as dryRunIptables } from '../../linux/iptables/dry-run.ts';
import { changesOf as iptablesChanges } from '../../linux/iptables/print.ts';
import { FakeIptables } from '../../linux/iptables/testing/fake-iptables.ts';
import { dryRun as dryRunNftables } from '../../linux/nftables/dry-run.ts';
import type { Transaction } from '../../linux/nftables/table.ts';
import { FakeNftables } from '../../linux/testing/fake-nftables.ts';
import { FamilyProxy } from '../family.ts';
import { IptablesMode } from '../mode/iptables/iptables-mode.ts';
import { namedChanges } from '../mode/iptables/view.ts';
import { DryIpvsKernel } from '../mode/ipvs/dry-run.ts';
import { IpvsMode } from '../mode/ipvs/ipvs-mode.ts';
import { FakeIpvsKernel } from '../mode/ipvs/testing/fake-kernel.ts';
import type { Mode } from '../mode/mode.ts';
import { setsOf, tableName } from '../mode/nftables/layout.ts';
import { NftablesMode } from '../mode/nftables/nftables-mode.ts';
import { changesOf } from '../mode/nftables/view.ts';
import { Owners } from '../mode/owners.ts';
import type { Change, DryRun } from '../mode/view.ts';
import type { Planner } from '../plan/planner.ts';
import type { ServicePlan } from '../plan/service-plan.ts';
import type { Scenario } from '../testing/scenario.ts';
import { scenarios } from '../testing/scenarios.ts';
import { diffText, pendingChanges } from './diff.ts';

/** A mode over a kernel in memory, at work and as a dry run. */
interface Bed {
  mode(): Mode;
  dryRun(): DryRun;
  dump(): string;
  /** Takes something away that is a Service's, and something that all share. */
  damage(): Promise<void>;
}

function nftablesBed(): Bed {
  const nft = new FakeNftables();
  return {
    mode: () => new NftablesMode(nft),
    dryRun() {
      const made: Transaction[] = [];
      const mode = new NftablesMode(dryRunNftables(nft, (transaction) => made.push(transaction)));
      return { mode, changes: (plans) => changesOf(made, [...plans]) };
    },
    dump: () => `${nft.dump('ip', tableName)}${nft.dump('ip6', tableName)}`,
    async damage() {
      const set = setsOf({ family: 'ip' }).find(({ name }) => name === 'endpoints') ?? assert.fail();
      const keys = [...(nft.table('ip', tableName)?.elements.get('endpoints')?.keys() ?? [])].slice(0, 1);
      const ops = [{ op: 'delete-elements', set, keys } as const, { op: 'flush-chain', chain: 'masq' } as const];
      await nft.commit({ family: 'ip', table: tableName, ops });
    },
  };
}

function iptablesBed(): Bed {
  const iptables = new FakeIptables();
  const settings = { read: () => '0', set: () => {} };
  return {
    mode: () => new IptablesMode({ iptables, settings }),
    dryRun() {
      const told: ((plans: readonly ServicePlan[]) => Change[])[] = [];
      const dry = dryRunIptables(iptables, (family, sections, held) =>
        told.push((plans) => namedChanges(family, iptablesChanges(held, sections), plans, held)),
      );
      return {
        mode: new IptablesMode({ iptables: dry, settings }),
        changes: (plans) => told.flatMap((changes) => changes([...plans])),
      };
    },
    dump: () => `${iptables.dump('ip')}${iptables.dump('ip6')}`,
    async damage() {
      const chain = /KUBE-SEP-\w+/.exec(iptables.dump('ip'))?.[0] ?? '';
      iptables.restoreByOther('ip', `*nat\n:${chain} - [0:0]\n:KUBE-MARK-MASQ - [0:0]\nCOMMIT\n`);
    },
  };
}

function ipvsBed(): Bed {
  const kernel = new FakeIpvsKernel();
  return {
    mode: () => new IpvsMode(kernel),
    dryRun() {
      const dry = new DryIpvsKernel(kernel, (name) => kernel.sysctls.get(name) ?? '0');
      return { mode: new IpvsMode(dry), changes: (plans) => dry.changes(new Owners(plans)) };
    },
    dump: () => `${kernel.dump()}${[...kernel.sysctls].join()}`,
    async damage() {
      await kernel.ipvs.flush();
      kernel.iptables.restoreByOther('ip', '*nat\n:KUBE-MARK-MASQ - [0:0]\nCOMMIT\n');
    },
  };
}

/** As a ClusterView does. */
function filler({ services, slices, reserved }: Scenario): { fill(planner: Planner): void } {
  return {
    fill(planner) {
      planner.reserve(reserved);
      for (const service of services) {
        const own = slices.filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === service.metadata.name);
        planner.put(objectKey(service), service, own);
      }
    },
  };
}

async function program(mode: Mode, scenario: Scenario): Promise<void> {
  const family = await FamilyProxy.open(mode, scenario.node);
  filler(scenario).fill(family.planner);
  family.settle();
  await family.sync();
  mode.close();
}

const beds: readonly (readonly [name: string, bed: () => Bed])[] = [
  ['nftables', nftablesBed],
  ['iptables', iptablesBed],
  ['ipvs', ipvsBed],
];

for (const [name, makeBed] of beds)
  describe(`pendingChanges() of mode ${name}`, () => {
    test('changes nothing, tells everything to a kernel that has nothing, and nothing to one that was programmed', async () => {
      for (const { title, scenario } of scenarios) {
        const bed = makeBed();
        const look = (): Promise<Change[]> => pendingChanges(bed, filler(scenario), [scenario.node]);
        const empty = bed.dump();
        const first = await look();
        assert.ok(first.length > 0, title);
        assert.equal(bed.dump(), empty, title);
        await program(bed.mode(), scenario);
        assert.deepEqual(await look(), [], title);
      }
    });

    test('names drift by its Service, where it is of one', async () => {
      const { scenario } = scenarios.find(({ title }) => title === 'web') ?? assert.fail();
      const bed = makeBed();
      await program(bed.mode(), scenario);
      await bed.damage();
      const changes = await pendingChanges(bed, filler(scenario), [scenario.node]);
      const owners = new Set(changes.map(({ service }) => service));
      assert.ok(owners.has('default/web') || owners.has('default/web-nodeport'), JSON.stringify(changes));
      assert.ok(owners.has(undefined), JSON.stringify(changes));
      await program(bed.mode(), scenario);
      assert.deepEqual(await pendingChanges(bed, filler(scenario), [scenario.node]), [], 'a sync makes just these changes');
    });
  });

test("diffText() has changes under their Service, and last those that are nobody's", () => {
  const changes = [
    { text: 'a' },
    { text: 'b', service: 'default/y' },
    { text: 'c', service: 'default/x' },
    { text: 'd', service: 'default/y' },
  ];
  assert.equal(diffText(changes), '# Service default/x\nc\n\n# Service default/y\nb\nd\n\n# Rules that all Services share\na\n');
});
