import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TableFamily } from '../nftables/table.ts';
import { legacyChains, uncounted } from './legacy-tables.ts';

/** Sizes and places as the headers have them: `struct ipt_entry`, `struct ip6t_entry`. */
const shapes = { ip: { entry: 112, target: 88, counts: 96 }, ip6: { entry: 168, target: 140, counts: 152 } } as const;
const matchLength = 48;

/** A rule with one match and a target; `chain`: the beginning of this chain, whose target says its name. */
function entry(family: TableFamily, { packets = 0, chain }: { readonly packets?: number; readonly chain?: string } = {}): Buffer {
  const { entry: head, target: targetAt, counts } = shapes[family];
  const target = head + (chain === undefined ? matchLength : 0);
  const bytes = Buffer.alloc(target + (chain === undefined ? 40 : 64), 0);
  bytes.writeUInt16LE(target, targetAt);
  bytes.writeUInt16LE(bytes.length, targetAt + 2);
  bytes.writeBigUInt64LE(BigInt(packets), counts);
  bytes.writeBigUInt64LE(BigInt(packets * 60), counts + 8);
  bytes.writeUInt16LE(bytes.length - target, target);
  if (chain !== undefined) {
    bytes.write('ERROR', target + 2);
    bytes.write(chain, target + 32);
  }
  return bytes;
}

for (const family of ['ip', 'ip6'] as const)
  describe(`a legacy table of ${family}`, () => {
    const rules = (packets: number): Buffer =>
      Buffer.concat([
        entry(family, { packets }),
        entry(family, { chain: 'KUBE-SERVICES', packets }),
        entry(family, { packets: 2 * packets }),
        entry(family, { chain: 'KUBE-A-NAME-OF-28-CHARACTERS' }),
        entry(family, { chain: 'ERROR' }),
      ]);

    test('has the chains that begin in it, and its end is none', () => {
      assert.deepEqual(legacyChains(family, rules(0)), ['KUBE-SERVICES', 'KUBE-A-NAME-OF-28-CHARACTERS']);
      assert.deepEqual(legacyChains(family, entry(family, { chain: 'ERROR' })), []);
      assert.deepEqual(legacyChains(family, Buffer.alloc(0)), []);
    });

    test('is the same whatever was counted, and another one when a rule is', () => {
      const counted = rules(7);
      assert.deepEqual(uncounted(family, counted), rules(0));
      assert.deepEqual(counted, rules(7), 'what was read stays as it is');
      const other = rules(7);
      const match = shapes[family].entry;
      other[match + 1] = 1;
      assert.notDeepEqual(uncounted(family, other), rules(0));
    });

    test('ends where an entry does not say where the next one is', () => {
      const broken = rules(1);
      broken.writeUInt16LE(0, shapes[family].target + 2);
      assert.deepEqual(legacyChains(family, broken), []);
    });
  });
