/** Which of the other nodes' leases can hold at the same time. Pure. */
import { type Cidr, cidrOverlaps, mustCidr } from '../../ip/ip.ts';
import type { Lease } from './lease.ts';

export interface Peers {
  readonly peers: readonly Lease[];
  /** By node: why its lease is left out. */
  readonly refused: ReadonlyMap<string, string>;
}

/**
 * Leaves out who claims what somebody else has. Of two Nodes with one range the older keeps it: a new Node, whatever it is called,
 * cannot draw the packets of another's pods to itself. What this node has itself, `ownIps` among it, nobody else can have.
 */
export function settlePeers(own: Lease, ownIps: readonly string[], candidates: readonly Lease[]): Peers {
  const ranges: { readonly range: Cidr; readonly owner: string }[] = [{ range: mustCidr(own.podCidr), owner: own.node }];
  const macs = new Map([[own.vtepMac, own.node]]);
  const peers: Lease[] = [];
  const refused = new Map<string, string>();
  for (const peer of candidates.toSorted(byAge)) {
    const range = mustCidr(peer.podCidr);
    const owner = ranges.find((r) => cidrOverlaps(r.range, range))?.owner;
    const sameMac = macs.get(peer.vtepMac);
    if (ownIps.includes(peer.publicIp) || peer.publicIp === own.publicIp) {
      refused.set(peer.node, `its public-ip ${peer.publicIp} is this node's own`);
    } else if (owner !== undefined) {
      refused.set(peer.node, `its range ${range.text} is that of node "${owner}"`);
    } else if (sameMac !== undefined) {
      refused.set(peer.node, `its VtepMAC ${peer.vtepMac} is that of node "${sameMac}"`);
    } else {
      ranges.push({ range, owner: peer.node });
      macs.set(peer.vtepMac, peer.node);
      peers.push(peer);
    }
  }
  return { peers, refused };
}

/** Oldest first; a Node that does not say comes last. RFC 3339 in UTC sorts as text. */
function byAge(a: Lease, b: Lease): number {
  const [x, y] = [a.since || '~', b.since || '~'];
  if (x !== y) return x < y ? -1 : 1;
  return a.node < b.node ? -1 : 1;
}
