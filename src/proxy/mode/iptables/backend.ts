/** Which tools of iptables: where both backends have theirs, as in an image, rules must go to the one that the rest of the node uses. */
import { isKnownError } from '../../../errors/known-error.ts';
import type { Iptables } from '../../../linux/iptables/iptables.ts';
import type { Variant } from '../../../linux/iptables/kernel-iptables.ts';

/** Chains by which the kubelet tells, the second of older ones. Source: KEP-3178 */
const hints = ['KUBE-IPTABLES-HINT', 'KUBE-KUBELET-CANARY'];

async function hasHint(iptables: Iptables): Promise<boolean> {
  try {
    for (const hint of hints)
      for (const family of ['ip', 'ip6'] as const)
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
