/** The nftables table of the pod network in nft's syntax. Pure. */

export const RULES_TABLE = 'fairlead-net';

/**
 * Who leaves the pod network, or enters it at the wrong node, gets the node's address, so that answers find back. As flannel's
 * FLANNEL-POSTRTG: what a service proxy has marked (0x4000) is its business; pods see each other's addresses.
 */
export function renderRules(options: { readonly network: string; readonly podCidr: string; readonly masquerade: boolean }): string {
  const { network, podCidr, masquerade } = options;
  const clear = `table ip ${RULES_TABLE}\ndelete table ip ${RULES_TABLE}\n`;
  if (!masquerade) return clear;
  return `${clear}table ip ${RULES_TABLE} {
  chain postrouting {
    type nat hook postrouting priority 105
    meta mark & 0x4000 == 0x4000 return
    ip saddr ${network} ip daddr ${network} return
    ip saddr ${network} ip daddr 224.0.0.0/4 return
    ip saddr ${network} masquerade fully-random
    ip daddr ${podCidr} return
    ip daddr ${network} masquerade fully-random
  }
}
`;
}
