/** Plain routes, for nodes on the same link: nothing is wrapped around the packets of pods, and any node takes them. Pure. */
import { cidrContains, mustCidr } from '../../ip/ip.ts';
import type { SubnetLease } from '../lease/lease.ts';
import type { DesiredRoute, Underlay } from '../plan/network.ts';

export function isOnLink({ publicIp }: SubnetLease, { ip, prefix }: Underlay): boolean {
  return cidrContains(mustCidr(`${ip}/${prefix}`), publicIp);
}

export function plainRoute({ podCidr, publicIp }: SubnetLease, { name }: Underlay): DesiredRoute {
  return { dst: podCidr, link: name, gateway: publicIp, onlink: false };
}
