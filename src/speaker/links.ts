/** The links on which a node announces: pure, but for what reads them from the kernel. */
import { type Cidr, cidrContains, familyOf, parseCidr } from '../ip/ip.ts';
import type { Rtnetlink } from '../linux/netlink/rtnetlink.ts';
import type { AnnouncingLink } from './announcer.ts';

export interface NodeLink extends AnnouncingLink {
  /** Up, and with a MAC: others may be on it. */
  readonly isOpen: boolean;
  readonly addresses: readonly string[];
  /** The networks that are on it. */
  readonly networks: readonly Cidr[];
}

/** All of them: a proxy keeps addresses also on one that is down. */
export async function readLinks(netlink: Rtnetlink): Promise<NodeLink[]> {
  const [links, addresses] = await Promise.all([netlink.links(), netlink.addresses()]);
  return links.map(({ index, name, mac, up }) => {
    const own = addresses.filter((address) => address.index === index);
    return {
      index,
      name,
      mac: Uint8Array.from(mac.split(':'), (byte) => Number.parseInt(byte, 16)),
      isOpen: up && mac !== '' && mac !== '00:00:00:00:00:00',
      addresses: own.map(({ ip }) => ip),
      networks: own.flatMap(({ ip, prefix }) => parseCidr(`${ip}/${prefix}`) ?? []),
    };
  });
}

/**
 * The link on which an address is asked for: the one whose network has it, and else the one that the other nodes are on, where a router
 * may have a route for it. `names`, when there are any, are all that count.
 */
export function linkFor(
  ip: string,
  links: readonly NodeLink[],
  nodeIps: readonly string[],
  names: readonly string[],
): NodeLink | undefined {
  const open = links.filter(({ name, isOpen }) => isOpen && (names.length === 0 || names.includes(name)));
  // A network of one address is the address itself, which a proxy may have bound.
  const near = open.find(({ networks }) => networks.some((cidr) => cidr.first !== cidr.last && cidrContains(cidr, ip)));
  if (near) return near;
  const own = nodeIps.toSorted((a, b) => Number(familyOf(a) !== familyOf(ip)) - Number(familyOf(b) !== familyOf(ip)));
  for (const nodeIp of own) {
    const found = open.find(({ addresses }) => addresses.includes(nodeIp));
    if (found) return found;
  }
  return names.length > 0 ? open[0] : undefined;
}

/** Links that have the address itself: the kernel answers ARP for it on every link unless it is told not to. */
export function bindersOf(ip: string, links: readonly NodeLink[]): NodeLink[] {
  return links.filter(({ addresses }) => addresses.includes(ip));
}
