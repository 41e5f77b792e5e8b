import type { TableFamily } from '../nftables/table.ts';
import type { Iptables } from './iptables.ts';
import type { Ruleset } from './ruleset.ts';
import type { Section } from './section.ts';

/** The tables to read, whose changes go to `onRestore` in place of the kernel, with what was held when it was last asked. */
export function dryRun(
  iptables: Iptables,
  onRestore: (family: TableFamily, sections: readonly Section[], held: Ruleset) => void,
): Iptables {
  const held = new Map<TableFamily, Ruleset>();
  return {
    features: (family) => iptables.features(family),
    save: async (family) => {
      const rules = await iptables.save(family);
      held.set(family, rules);
      return rules;
    },
    restore: async (family, sections) => onRestore(family, [...sections], held.get(family) ?? new Map()),
    counted: (...which) => iptables.counted(...which),
    hasChain: (...which) => iptables.hasChain(...which),
    mayHold: (...which) => iptables.mayHold(...which),
    state: (family) => iptables.state(family),
    foreignChanges: () => iptables.foreignChanges(),
    watch: (...what) => iptables.watch(...what),
    close: () => iptables.close(),
  };
}
