/**
 * Leases: which node has which range of pod addresses and how to reach it. They are kept as flannel keeps them, on the Node
 * (spec.podCIDR and annotations), so that flannel's nodes and these can share a cluster. Pure.
 */
import type { Node, NodeCondition } from '../../api/schema/types.ts';
import { type Cidr, cidrContains, familyOf, isIp, mustCidr, parseCidr } from '../../ip/ip.ts';

const prefix = 'flannel.alpha.coreos.com/';
/** Of one link: neither a group's nor zero, with which the kernel refuses entries. */
const macPattern = /^(?!00(:00){5}$)[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/;
/** This network, loopback, and everything from multicast on: nobody's addresses. */
const nobodys = ['0.0.0.0/8', '127.0.0.0/8', '224.0.0.0/3'].map(mustCidr);

export interface Lease {
  readonly node: string;
  readonly podCidr: string;
  /** Where the node takes VXLAN packets. */
  readonly publicIp: string;
  readonly vni: number;
  readonly vtepMac: string;
  /** When its Node was made, RFC 3339; '' when it does not say. */
  readonly since: string;
}

/** The range that the cluster gave to a node, or undefined while it has none (or none of IPv4). */
export function podCidrOf(node: Node): string | undefined {
  const ranges = [...(node.spec?.podCIDRs ?? []), ...(node.spec?.podCIDR === undefined ? [] : [node.spec.podCIDR])];
  return ranges.map((r) => parseCidr(r)).find((c) => c?.family === 4)?.text;
}

/** The MAC that a node has told to others; it keeps it for as long as the Node exists. */
export function vtepMacOf(node: Node): string | undefined {
  const mac = backendData(node)?.vtepMac;
  return mac !== undefined && macPattern.test(mac) ? mac : undefined;
}

/** The address that a node wants others to use instead of its own: a port forwarding in front of it, for example. */
export function publicIpOverwrite(node: Node): string | undefined {
  const ip = node.metadata.annotations?.[`${prefix}public-ip-overwrite`];
  return ip !== undefined && isIp(ip) && familyOf(ip) === 4 ? ip : undefined;
}

/** Reads a node's lease: `absent` when it has none (yet), `refused` with the reason when it cannot be used. */
export function leaseOf(
  node: Node,
  network: Cidr,
  vni: number,
): { readonly kind: 'lease'; readonly lease: Lease } | { readonly kind: 'absent' } | { readonly kind: 'refused'; readonly why: string } {
  const annotations = node.metadata.annotations ?? {};
  const podCidr = podCidrOf(node);
  const data = backendData(node);
  const publicIp = annotations[`${prefix}public-ip`];
  if (annotations[`${prefix}kube-subnet-manager`] !== 'true' || podCidr === undefined || publicIp === undefined) return { kind: 'absent' };
  const refused = (why: string): { readonly kind: 'refused'; readonly why: string } => ({ kind: 'refused', why });
  const type = annotations[`${prefix}backend-type`];
  if (type !== 'vxlan') return refused(`its backend is "${type ?? ''}", not vxlan`);
  if (!data) return refused('its backend-data has no VtepMAC');
  if (!macPattern.test(data.vtepMac)) return refused(`its VtepMAC "${data.vtepMac}" is no link's`);
  if (data.vni !== vni) return refused(`its VNI is ${data.vni}, not ${vni}`);
  if (!isIp(publicIp) || familyOf(publicIp) === 6) return refused(`its public-ip "${publicIp}" is no IPv4 address`);
  if (nobodys.some((range) => cidrContains(range, publicIp))) return refused(`its public-ip "${publicIp}" is no node's`);
  const range = parseCidr(podCidr);
  if (!range || !cidrContains(network, range.base) || range.last > network.last) {
    return refused(`its range ${podCidr} is not inside ${network.text}`);
  }
  const { name = '', creationTimestamp: since = '' } = node.metadata;
  return { kind: 'lease', lease: { node: name, podCidr: range.text, publicIp, vni, vtepMac: data.vtepMac, since } };
}

/** The annotations that tell a lease. */
export function annotationsOf(lease: Lease): Record<string, string> {
  return {
    [`${prefix}kube-subnet-manager`]: 'true',
    [`${prefix}backend-type`]: 'vxlan',
    // flannel's own spelling and order; it compares the text.
    [`${prefix}backend-data`]: JSON.stringify({ VNI: lease.vni, VtepMAC: lease.vtepMac }),
    [`${prefix}public-ip`]: lease.publicIp,
  };
}

/** Heartbeats change every Node every few seconds; only what makes a lease, or an agent's own part of the status, counts. */
export function changesNetwork(old: Node, node: Node): boolean {
  const part = ({ spec, metadata, status }: Node): string =>
    JSON.stringify([
      spec?.podCIDR,
      spec?.podCIDRs,
      metadata.annotations,
      status?.addresses,
      status?.conditions?.find((c) => c.type === 'NetworkUnavailable')?.status,
    ]);
  return part(old) !== part(node);
}

/** What has to be patched into the Node's status so that it tells the lease; undefined when it does. `now` is RFC 3339. */
export function nodePatch(node: Node, lease: Lease, now: string): object | undefined {
  const wanted = annotationsOf(lease);
  const has = node.metadata.annotations ?? {};
  const annotations = Object.fromEntries(Object.entries(wanted).filter(([name, value]) => has[name] !== value));
  const condition = node.status?.conditions?.find((c) => c.type === 'NetworkUnavailable');
  const isUp = condition?.status === 'False' && condition.reason === 'FlannelIsUp';
  if (Object.keys(annotations).length === 0 && isUp) return undefined;
  const up: NodeCondition = {
    type: 'NetworkUnavailable',
    status: 'False',
    reason: 'FlannelIsUp',
    message: 'Fairlead is running on this node',
    lastHeartbeatTime: now,
    lastTransitionTime: condition?.status === 'False' ? (condition.lastTransitionTime ?? now) : now,
  };
  return {
    ...(Object.keys(annotations).length > 0 ? { metadata: { annotations } } : {}),
    ...(isUp ? {} : { status: { conditions: [up] } }),
  };
}

function backendData(node: Node): { readonly vni: number; readonly vtepMac: string } | undefined {
  try {
    const data: unknown = JSON.parse(node.metadata.annotations?.[`${prefix}backend-data`] ?? '');
    if (typeof data !== 'object' || data === null || !('VtepMAC' in data)) return undefined;
    // Old flannel versions left the number out when it was 1.
    return { vni: 'VNI' in data ? Number(data.VNI) : 1, vtepMac: String(data.VtepMAC).toLowerCase() };
  } catch {
    return undefined;
  }
}
