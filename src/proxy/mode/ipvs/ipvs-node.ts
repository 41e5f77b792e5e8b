/** What the mode must know of the node besides what every mode does. */
import { cidrContains, familyOf, mustCidr } from '../../../ip/ip.ts';
import type { NodeContext } from '../../plan/node-context.ts';

export interface IpvsNode extends NodeContext {
  /** Addresses of its links, but for the device of the Services. */
  readonly hostIps: readonly string[];
  readonly masqueradeBit: number;
}

export const defaultMasqueradeBit = 14;

const unserved = ['127.0.0.0/8', '::1/128', 'fe80::/10'].map(mustCidr);

/** Addresses at which node ports are served: each needs a virtual server of its own. */
export function nodePortIpsOf({ nodePortIps, hostIps, family }: IpvsNode): readonly string[] {
  if (nodePortIps !== 'all') return nodePortIps;
  const wanted = family === 'ip' ? 4 : 6;
  return hostIps.filter((ip) => familyOf(ip) === wanted && !unserved.some((cidr) => cidrContains(cidr, ip)));
}
