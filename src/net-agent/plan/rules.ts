/** The nftables table of the pod network. Pure. */
import type { Cidr, Family } from '../../ip/ip.ts';
import type { Chain, Table, TableFamily } from '../../linux/nftables/table.ts';

export const rulesTable = 'fairlead-net';

/** Priority of chains that see packets before connection tracking does. */
export const beforeTracking = -300;

/** nft's word for a family, of tables and in rules. */
export function familyWord(family: Family): TableFamily {
  return family === 4 ? 'ip' : 'ip6';
}

export const multicast: Readonly<Record<Family, string>> = { 4: '224.0.0.0/4', 6: 'ff00::/8' };

export interface RulesInput {
  /** The range of all pods. */
  readonly network: Cidr;
  readonly podCidr: string;
  readonly masquerade: boolean;
  /** What the backend needs. */
  readonly chains: readonly Chain[];
}

/**
 * Masquerades what leaves the pod network, and what enters it at a node that does not have the pod: answers must come back through this node.
 * As in flannel's chain FLANNEL-POSTRTG, pods see each other's addresses, and what a service proxy has marked (0x4000) is left to the proxy.
 */
export function planRules({ network: { family, text: network }, podCidr, masquerade, chains }: RulesInput): Table {
  const ip = familyWord(family);
  const postrouting: Chain = {
    name: 'postrouting',
    hook: { type: 'nat', hook: 'postrouting', priority: 105 },
    rules: [
      'meta mark & 0x4000 == 0x4000 return',
      `${ip} saddr ${network} ${ip} daddr ${network} return`,
      `${ip} saddr ${network} ${ip} daddr ${multicast[family]} return`,
      `${ip} saddr ${network} masquerade fully-random`,
      `${ip} daddr ${podCidr} return`,
      `${ip} daddr ${network} masquerade fully-random`,
    ],
  };
  return { family: ip, name: rulesTable, chains: masquerade ? [...chains, postrouting] : chains, sets: [], elements: new Map() };
}
