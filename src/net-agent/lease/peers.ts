/** The other nodes, as far as packets can be sent to them. Pure. */
import type { Node } from '../../api/schema/types.ts';
import { type Cidr, cidrOverlaps, mustCidr } from '../../ip/ip.ts';
import type { Backend } from '../backend/backend.ts';
import { isOnLink } from '../backend/plain-route.ts';
import type { Underlay } from '../plan/network.ts';
import { type LeaseReading, readLease, type SubnetLease } from './lease.ts';

export interface Peers {
  /** Of this node's backend. */
  readonly peers: readonly SubnetLease[];
  /** Of another backend, on the same link: while a cluster changes from one to another, plain routes lead there, whatever either of the two is. */
  readonly foreign: readonly SubnetLease[];
  /** By node: why its lease is left out. */
  readonly refused: ReadonlyMap<string, string>;
}

export interface OwnSide {
  readonly lease: SubnetLease;
  /** All addresses of this node, of which nobody else can have one. */
  readonly ips: readonly string[];
  readonly underlay: Underlay;
}

/** The leases of other nodes, without those that cannot be used, or not beside each other. */
export function readPeers(nodes: readonly Node[], network: Cidr, backend: Backend, own: OwnSide): Peers {
  const candidates: SubnetLease[] = [];
  const foreign = new Set<string>();
  const unreadable = new Map<string, string>();
  for (const node of nodes) {
    const { name = '' } = node.metadata;
    if (name === own.lease.node) continue;
    const read = readPeer(node, network, backend, own.underlay);
    if (read.kind === 'lease' || read.kind === 'foreign') candidates.push(read.lease);
    if (read.kind === 'foreign') foreign.add(name);
    if (read.kind === 'refused') unreadable.set(name, read.why);
  }
  const { peers, refused } = settlePeers(own, candidates, backend);
  return {
    peers: peers.filter(({ node }) => !foreign.has(node)),
    foreign: peers.filter(({ node }) => foreign.has(node)),
    refused: new Map([...unreadable, ...refused]),
  };
}

function readPeer(node: Node, network: Cidr, backend: Backend, underlay: Underlay): LeaseReading {
  const told = readLease(node, network, backend.type);
  const read = told.kind === 'lease' ? backend.readPeer(told.lease, underlay) : told;
  return read.kind === 'foreign' && !isOnLink(read.lease, underlay) ? { kind: 'refused', why: read.why } : read;
}

/**
 * Leaves out who claims what somebody else has. Of two Nodes with one range the older keeps it: a new Node, whatever it is called,
 * cannot draw the packets of another's pods to itself. What this node has itself nobody else can have.
 */
export function settlePeers(
  own: Pick<OwnSide, 'lease' | 'ips'>,
  candidates: readonly SubnetLease[],
  backend: Pick<Backend, 'identity'>,
): Omit<Peers, 'foreign'> {
  const { lease } = own;
  const ranges: { readonly range: Cidr; readonly owner: string }[] = [{ range: mustCidr(lease.podCidr), owner: lease.node }];
  const owners = new Map([[backend.identity?.(lease.data), lease.node]]);
  const peers: SubnetLease[] = [];
  const refused = new Map<string, string>();
  for (const peer of candidates.toSorted(byAge)) {
    const range = mustCidr(peer.podCidr);
    const owner = ranges.find((r) => cidrOverlaps(r.range, range))?.owner;
    const identity = peer.type === lease.type ? backend.identity?.(peer.data) : undefined;
    const twin = identity === undefined ? undefined : owners.get(identity);
    if (own.ips.includes(peer.publicIp) || peer.publicIp === lease.publicIp) {
      refused.set(peer.node, `its public-ip ${peer.publicIp} is this node's own`);
    } else if (owner !== undefined) {
      refused.set(peer.node, `its range ${range.text} is that of node "${owner}"`);
    } else if (twin !== undefined) {
      refused.set(peer.node, `its ${identity} is that of node "${twin}"`);
    } else {
      ranges.push({ range, owner: peer.node });
      owners.set(identity, peer.node);
      peers.push(peer);
    }
  }
  return { peers, refused };
}

/** Oldest first; a Node that does not say comes last. RFC 3339 in UTC sorts as text. */
function byAge(a: SubnetLease, b: SubnetLease): number {
  const [x, y] = [a.since || '~', b.since || '~'];
  if (x !== y) return x < y ? -1 : 1;
  return a.node < b.node ? -1 : 1;
}
