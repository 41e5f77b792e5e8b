/** The nftables table of the pod network. Pure. */
import type { Chain, Table } from '../../linux/nftables/table.ts';

export const rulesTable = 'fairlead-net';

/** Before connection tracking. */
const raw = -300;

export interface RulesInput {
  /** The range of all pods. */
  readonly network: string;
  readonly podCidr: string;
  readonly masquerade: boolean;
  /** The node's address and the UDP port of the outer packets. */
  readonly underlayIp: string;
  readonly port: number;
}

/**
 * VXLAN's outer packets are not tracked: their source port is a hash of the inner flow, so that every flow would cost two entries
 * that are never answered, and a look-up per packet. Calico does the same.
 *
 * Who leaves the pod network, or enters it at the wrong node, gets the node's address, so that answers find back. As flannel's
 * FLANNEL-POSTRTG: what a service proxy has marked (0x4000) is its business; pods see each other's addresses.
 */
export function planRules({ network, podCidr, masquerade, underlayIp, port }: RulesInput): Table {
  const chains: Chain[] = [
    {
      name: 'outer-in',
      hook: { type: 'filter', hook: 'prerouting', priority: raw },
      rules: [`ip daddr ${underlayIp} meta l4proto udp th dport ${port} notrack`],
    },
    {
      name: 'outer-out',
      hook: { type: 'filter', hook: 'output', priority: raw },
      rules: [`ip saddr ${underlayIp} meta l4proto udp th dport ${port} notrack`],
    },
  ];
  if (masquerade)
    chains.push({
      name: 'postrouting',
      hook: { type: 'nat', hook: 'postrouting', priority: 105 },
      rules: [
        'meta mark & 0x4000 == 0x4000 return',
        `ip saddr ${network} ip daddr ${network} return`,
        `ip saddr ${network} ip daddr 224.0.0.0/4 return`,
        `ip saddr ${network} masquerade fully-random`,
        `ip daddr ${podCidr} return`,
        `ip daddr ${network} masquerade fully-random`,
      ],
    });
  return { family: 'ip', name: rulesTable, chains, sets: [], elements: new Map() };
}
