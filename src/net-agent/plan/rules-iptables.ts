/** The rules of the pod network for iptables: what `planRules` says for nftables. Pure. */
import type { Cidr } from '../../ip/ip.ts';
import { multicast } from './rules.ts';

export const iptablesChain = 'FAIRLEAD-POSTRTG';

export const jump: string = `-m comment --comment "fairlead pod network" -j ${iptablesChain}`;

export function masqueradingRules({ family, text: network }: Cidr, podCidr: string, randomFully: boolean): string[] {
  const masquerade = `-j MASQUERADE${randomFully ? ' --random-fully' : ''}`;
  return [
    '-m mark --mark 0x4000/0x4000 -j RETURN',
    `-s ${network} -d ${network} -j RETURN`,
    `-s ${network} ! -d ${multicast[family]} ${masquerade}`,
    `-d ${podCidr} -j RETURN`,
    `! -s ${network} -d ${network} ${masquerade}`,
  ];
}
