/** Which tools of iptables: where both backends have theirs, as in an image, rules must go to the one that the rest of the node uses. */
import { isKnownError } from '../../../errors/known-error.ts';
import type { Iptables } from '../../../linux/iptables/iptables.ts';
import { KernelIptables, type Variant } from '../../../linux/iptables/kernel-iptables.ts';
import { eitherFamily } from '../../../linux/lack.ts';
import { tableFamilies } from '../../../linux/nftables/table.ts';

/** Chains by which the kubelet tells, the second of older ones. Source: KEP-3178 */
const hints = ['KUBE-IPTABLES-HINT', 'KUBE-KUBELET-CANARY'];

async function hasHint(iptables: Iptables): Promise<boolean> {
  try {
    for (const hint of hints)
      for (const family of tableFamilies)
        if ((await iptables.mayHold(hint, family)) && (await iptables.hasChain(family, 'mangle', hint))) return true;
    return false;
  } catch (err) {
    if (!isKnownError(err, 'TOOL_MISSING')) throw err;
    return false;
  }
}

/** Those of the backend in which the kubelet has its hint, else those that the machine's administrator chose. */
export async function chooseTools(open: (variant: Variant) => Iptables): Promise<Variant> {
  for (const variant of ['-nft', '-legacy'] as const) {
    const iptables = open(variant);
    try {
      if (await hasHint(iptables)) return variant;
    } finally {
      iptables.close();
    }
  }
  return '';
}

/** What all chains of a proxy begin with. */
export const ownPrefix = 'KUBE-';

/** The tools of this process's network namespace, and those of the other backend where a proxy may have left rules in it; whoever asks closes them. */
export interface Tools {
  readonly iptables: Iptables;
  otherBackend(): Promise<Iptables | undefined>;
}

export async function openTools(): Promise<Tools> {
  const iptables = new KernelIptables(await chooseTools((variant) => new KernelIptables(variant)));
  const otherBackend = async (): Promise<Iptables | undefined> => {
    // Most machines have rules in one backend or none, and then no program needs to say which.
    using both = new KernelIptables();
    if (!(await both.mayHold(ownPrefix))) return undefined;
    const { backend } = await eitherFamily((family) => iptables.features(family));
    return new KernelIptables(backend === 'nft' ? '-legacy' : '-nft');
  };
  return { iptables, otherBackend };
}
