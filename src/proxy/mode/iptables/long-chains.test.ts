/** Services of very many endpoints over the tools of both backends. CHAINS_SEED=N repeats a run. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { seededRandom } from '../../../clock/testing/seeded-random.ts';
import { kernelIptablesIn, lackingTools } from '../../../linux/iptables/testing/kernel-in.ts';
import { cannotMakeNamespaces, Namespaces } from '../../../linux/testing/namespaces.ts';
import { benchNode, benchService, benchSlice } from '../../bench.ts';
import { FamilyProxy } from '../../family.ts';
import { chainsOf } from './chain-names.ts';
import { IptablesMode } from './iptables-mode.ts';

const seed = Number(process.env.CHAINS_SEED ?? Date.now() % 2 ** 32);
const key = 'bench/s1';
const ipOf = (n: number): string => `10.245.${n >> 8}.${n & 255}`;

describe('a Service of very many endpoints in the kernel', () => {
  for (const variant of ['-nft', '-legacy'] as const) {
    const cannot = async (): Promise<string | false> => cannotMakeNamespaces || ((await lackingTools(variant)) ?? false);
    test(`changes rule by rule to what it would be if it were written anew (iptables${variant}, CHAINS_SEED=${seed})`, async (t) => {
      const why = await cannot();
      if (why) return t.skip(why);
      await using net = new Namespaces();
      await net.add('long');
      const iptables = kernelIptablesIn(net.path('long'), variant);
      const mode = new IptablesMode({ iptables, settings: { read: () => '0', set: () => {} } });
      try {
        await mode.probe();
        const proxy = await FamilyProxy.open(mode, benchNode);
        const below = seededRandom(seed);
        const ips = new Set(Array.from({ length: 600 }, (_, i) => ipOf(i)));
        const put = (): Promise<unknown> => {
          proxy.put(key, benchService(1), [benchSlice(1, [...ips])]);
          proxy.settle();
          return proxy.sync();
        };
        await put();
        for (let step = 0; step < 8; step++) {
          for (const ip of [...ips]) if (below(40) === 0) ips.delete(ip);
          for (let i = below(30); i >= 0; i--) ips.add(ipOf(below(2000)));
          await put();
          const held = (await iptables.save('ip')).get('nat') ?? new Map();
          const { cluster } = chainsOf(key, 'tcp');
          const choices = held.get(cluster)?.filter((rule: string) => rule.includes('-j KUBE-SEP-')) ?? [];
          assert.equal(choices.length, ips.size);
          for (const [i, rule] of choices.entries()) {
            const chance = Number(/--probability (\S+)/.exec(rule)?.[1] ?? 1);
            assert.ok(Math.abs(chance - 1 / (choices.length - i)) < 1e-8, rule);
          }
          assert.equal([...held.keys()].filter((name: string) => name.startsWith('KUBE-SEP-')).length, ips.size);
          proxy.distrust();
          assert.deepEqual(await proxy.sync(), { full: true, steps: 0 });
        }
      } finally {
        mode.close();
        iptables.close();
      }
    });
  }
});
