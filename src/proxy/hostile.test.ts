/**
 * Random hostile Services and EndpointSlices through plan, render and diff into a real kernel: whatever users write, the
 * kernel takes the rest. FUZZ_SEED=N repeats a run, FUZZ_STEPS=N makes it longer.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { EndpointSlice, Service } from '../api/schema/types.ts';
import { kernelIptablesIn, lackingTools } from '../linux/iptables/testing/kernel-in.ts';
import { inNetns } from '../linux/netns.ts';
import { create, diff } from '../linux/nftables/diff.ts';
import { KernelNftables } from '../linux/nftables/kernel-nftables.ts';
import { cannotMakeNamespaces, Namespaces } from '../linux/testing/namespaces.ts';
import { FamilyProxy } from './family.ts';
import { IptablesMode } from './mode/iptables/iptables-mode.ts';
import { tableName } from './mode/nftables/layout.ts';
import { NftablesMode } from './mode/nftables/nftables-mode.ts';
import { renderTable } from './mode/nftables/render-table.ts';
import { Planner } from './plan/planner.ts';
import { contexts, Hostile, reserved } from './testing/hostile.ts';

const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 32);
const steps = Number(process.env.FUZZ_STEPS ?? 60);
const lackingIptables = await lackingTools();

describe('hostile Services', { skip: cannotMakeNamespaces, concurrency: false }, () => {
  const net = new Namespaces();
  let kernel: KernelNftables;
  let fresh: KernelNftables;
  before(async () => {
    await net.add('a', 'b');
    kernel = inNetns(net.path('a'), () => new KernelNftables());
    fresh = inNetns(net.path('b'), () => new KernelNftables());
  });
  after(async () => {
    kernel?.close();
    fresh?.close();
    await net[Symbol.asyncDispose]();
  });

  for (const family of ['ip', 'ip6'] as const) {
    test(`never keep the kernel from taking the rules, whatever was there before (${family}, FUZZ_SEED=${seed})`, async (t) => {
      t.diagnostic(`FUZZ_SEED=${seed}`);
      const random = new Hostile(seed);
      const node = contexts[family];
      const names = Array.from({ length: 8 }, (_, i) => `s${i}`);
      const services = new Map<string, Service>();
      const slices = new Map<string, EndpointSlice[]>();
      const proxy = await FamilyProxy.open(new NftablesMode(kernel), node);
      proxy.planner.reserve(reserved);
      await proxy.sync();
      for (let step = 0; step < steps; step++) {
        for (let i = random.below(4); i >= 0; i--) {
          const name = random.one(names);
          if (random.below(4) === 0) services.delete(name);
          else if (random.below(2) === 0 || !services.has(name)) services.set(name, random.service(name));
          slices.set(name, random.below(2) === 0 ? [random.slice(name, 0)] : [random.slice(name, 0), random.slice(name, 1)]);
          proxy.put(`fuzz/${name}`, services.get(name), slices.get(name) ?? []);
        }
        const at = `step ${step} of FUZZ_SEED=${seed}`;
        proxy.settle();
        const { full } = await proxy.sync().catch((err: unknown) => assert.fail(`${at}: ${String(err)}`));
        assert.equal(full, false, at);
        // What the changes made is what the same plans make from nothing.
        const wanted = renderTable(proxy.planner.plans.values(), node);
        assert.deepEqual(diff(await kernel.read(family, tableName), wanted), [], at);
        // The plans of a proxy that knows nothing of the past, over whatever an earlier step left, and into an empty kernel.
        const planner = new Planner(node);
        planner.reserve(reserved);
        for (const [name, service] of services) planner.put(`fuzz/${name}`, service, slices.get(name) ?? []);
        planner.take();
        const other = renderTable(planner.plans.values(), node);
        const ops =
          step % 3 === 0
            ? [{ op: 'add-table' } as const, { op: 'delete-table' } as const, ...create(other)]
            : diff(await fresh.read(family, tableName), other);
        await fresh.commit({ family, table: tableName, ops }).catch((err: unknown) => assert.fail(`${at}, afresh: ${String(err)}`));
        assert.deepEqual(diff(await fresh.read(family, tableName), other), [], at);
      }
    });

    const lacking = lackingIptables ?? false;
    test(`never keep iptables from taking the rules (${family}, FUZZ_SEED=${seed})`, { skip: lacking }, async (t) => {
      t.diagnostic(`FUZZ_SEED=${seed}`);
      const random = new Hostile(seed);
      const iptables = kernelIptablesIn(net.path('a'));
      t.after(() => iptables.close());
      const mode = new IptablesMode({ iptables, settings: { read: () => '0', set: () => {} } });
      await mode.probe();
      const proxy = await FamilyProxy.open(mode, contexts[family]);
      proxy.planner.reserve(reserved);
      await proxy.sync();
      for (let step = 0; step < steps / 2; step++) {
        for (let i = random.below(6); i >= 0; i--) {
          const name = `s${random.below(8)}`;
          const service = random.below(4) === 0 ? undefined : random.service(name);
          proxy.put(`fuzz/${name}`, service, [random.slice(name, 0), random.slice(name, 1)]);
        }
        const at = `step ${step} of FUZZ_SEED=${seed}`;
        proxy.settle();
        const { full } = await proxy.sync().catch((err: unknown) => assert.fail(`${at}: ${String(err)}`));
        assert.equal(full, false, at);
        proxy.distrust();
        assert.equal((await proxy.sync()).steps, 0, `${at}: what the changes made is what the same plans make from nothing`);
      }
    });
  }
});
