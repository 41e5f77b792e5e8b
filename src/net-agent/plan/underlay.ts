/** Which of a node's addresses the other nodes send to. Pure, but for the look at routes. */
import type { Node } from '../../api/schema/types.ts';
import { isIp } from '../../ip/ip.ts';
import type { Underlay } from './network.ts';

/** As flannel's flags of these names. */
export interface UnderlayWish {
  /** Names or addresses of links, the first that is there counts. */
  readonly iface?: readonly string[];
  /** Regular expressions for names or addresses of links, asked after `iface`. */
  readonly ifaceRegex?: readonly string[];
  /** An address that is reached through the link. */
  readonly ifaceCanReach?: string;
  /** What other nodes are told instead of the link's own address; when it is a link's, that link is meant. */
  readonly publicIp?: string;
  /** The same for IPv6. */
  readonly publicIpv6?: string;
}

export interface NodeAddresses {
  /** Every address of the family that a link has, but loopback's and link-local ones, in the order of the links. */
  readonly addresses: readonly Underlay[];
  /** The address from which this node speaks to another host, or to the world. */
  sourceTo(host: string): Promise<string | undefined>;
  sourceToWorld(): Promise<string | undefined>;
}

/**
 * What the flags ask for comes first, then the Node's InternalIP, which everybody else uses, too. The default route comes last: on many a virtual
 * machine it leads to a NAT interface that has the same address on each of them. Before it, and while the Node has no address, comes the
 * one from which this node speaks to the API server.
 */
export async function chooseUnderlay(
  wish: UnderlayWish,
  node: Node,
  apiServer: string | undefined,
  own: NodeAddresses,
): Promise<Underlay | undefined> {
  const having = (ip: string | undefined): Underlay | undefined => own.addresses.find((a) => a.ip === ip);
  const asked = [...(wish.iface ?? []), ...(wish.ifaceRegex ?? []), ...(wish.ifaceCanReach === undefined ? [] : [wish.ifaceCanReach])];
  if (asked.length > 0) {
    const named = wish.iface?.map((name) => (isIp(name) ? having(name) : own.addresses.find((a) => a.name === name)));
    const matching = wish.ifaceRegex?.map((text) => {
      const regex = new RegExp(text);
      return own.addresses.find((a) => regex.test(a.name)) ?? own.addresses.find((a) => regex.test(a.ip));
    });
    const found = [...(named ?? []), ...(matching ?? [])].find((u) => u !== undefined);
    return found ?? (wish.ifaceCanReach === undefined ? undefined : having(await own.sourceTo(wish.ifaceCanReach)));
  }
  const internal = node.status?.addresses?.filter((a) => a.type === 'InternalIP') ?? [];
  return (
    having(wish.publicIp) ??
    having(wish.publicIpv6) ??
    internal.map((a) => having(a.address)).find((u) => u !== undefined) ??
    (apiServer === undefined ? undefined : having(await own.sourceTo(apiServer))) ??
    having(await own.sourceToWorld())
  );
}
