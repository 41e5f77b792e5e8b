/**
 * Leases: which node has which range of pod addresses, and how to reach it. They are kept as flannel keeps them, on the Node
 * (spec.podCIDR and annotations), so that flannel's nodes and these can share a cluster. Pure.
 */
import type { Node, NodeCondition } from '../../api/schema/types.ts';
import { type Cidr, cidrContains, type Family, familyOf, isIp, mustCidr, parseCidr } from '../../ip/ip.ts';

/** `Data` is what the backend says about a node, any JSON: only the backend reads it. */
export interface SubnetLease<Data = unknown> {
  readonly node: string;
  readonly podCidr: string;
  /** Where the other nodes reach it. */
  readonly publicIp: string;
  /** Of the backend. */
  readonly type: string;
  readonly data: Data;
  /** When its Node was made, RFC 3339; '' when it does not say. */
  readonly since: string;
}

/** `absent` when there is none (yet), `refused` when it cannot be used, `foreign` when it is of another backend, or of one with other settings. */
export type LeaseReading<Data = unknown> =
  | { readonly kind: 'lease'; readonly lease: SubnetLease<Data> }
  | { readonly kind: 'foreign'; readonly lease: SubnetLease<Data>; readonly why: string }
  | { readonly kind: 'absent' }
  | { readonly kind: 'refused'; readonly why: string };

const prefix = 'flannel.alpha.coreos.com/';
const managed = `${prefix}kube-subnet-manager`;
const backendType = `${prefix}backend-type`;
/** The annotations that a lease has per family. */
const annotationsIn = {
  4: { data: `${prefix}backend-data`, publicIp: `${prefix}public-ip`, overwrite: `${prefix}public-ip-overwrite` },
  6: { data: `${prefix}backend-v6-data`, publicIp: `${prefix}public-ipv6`, overwrite: `${prefix}public-ipv6-overwrite` },
} as const;

/** This network, loopback, and everything from multicast on: nobody's addresses. */
const nobodys = ['0.0.0.0/8', '127.0.0.0/8', '224.0.0.0/3', '::/127', 'ff00::/8'].map(mustCidr);

/** The range that the cluster gave to a node, or undefined while it has none of the family. */
export function podCidrOf(node: Node, family: Family): string | undefined {
  const ranges = [...(node.spec?.podCIDRs ?? []), ...(node.spec?.podCIDR === undefined ? [] : [node.spec.podCIDR])];
  return ranges.map((r) => parseCidr(r)).find((c) => c?.family === family)?.text;
}

/** What a node has told to others about itself; undefined when that is nothing. */
export function backendDataOf(node: Node, family: Family): unknown {
  try {
    return JSON.parse(node.metadata.annotations?.[annotationsIn[family].data] ?? '');
  } catch {
    return undefined;
  }
}

/** The address that a node wants others to use instead of its own: a port forwarding in front of it, for example. */
export function publicIpOverwrite(node: Node, family: Family): string | undefined {
  const ip = node.metadata.annotations?.[annotationsIn[family].overwrite];
  return ip !== undefined && isIp(ip) && familyOf(ip) === family ? ip : undefined;
}

/** Reads a node's lease in a network of backends of one type. */
export function readLease(node: Node, network: Cidr, type: string): LeaseReading {
  const { family } = network;
  const annotations = node.metadata.annotations ?? {};
  const podCidr = podCidrOf(node, family);
  const publicIp = annotations[annotationsIn[family].publicIp];
  if (annotations[managed] !== 'true' || podCidr === undefined || publicIp === undefined) return { kind: 'absent' };
  const told = annotations[backendType] ?? '';
  const range = mustCidr(podCidr);
  const refusal = whyNobodys(publicIp, family) ?? whyOutside(range, network);
  if (refusal !== undefined) return { kind: 'refused', why: refusal };
  const { name = '', creationTimestamp: since = '' } = node.metadata;
  const lease = { node: name, podCidr: range.text, publicIp, type: told, data: backendDataOf(node, family), since };
  return told === type ? { kind: 'lease', lease } : { kind: 'foreign', lease, why: `its backend is "${told}", not ${type}` };
}

function whyNobodys(publicIp: string, family: Family): string | undefined {
  if (!isIp(publicIp) || familyOf(publicIp) !== family) return `its public-ip "${publicIp}" is no IPv${family} address`;
  return nobodys.some((range) => cidrContains(range, publicIp)) ? `its public-ip "${publicIp}" is no node's` : undefined;
}

function whyOutside(range: Cidr, network: Cidr): string | undefined {
  const isInside = range.first >= network.first && range.last <= network.last;
  return isInside ? undefined : `its range ${range.text} is not inside ${network.text}`;
}

/** The annotations that tell a lease. */
export function annotationsOf(lease: SubnetLease): Record<string, string> {
  const { data, publicIp } = annotationsIn[familyOf(lease.podCidr)];
  return {
    [managed]: 'true',
    [backendType]: lease.type,
    // flannel compares the text: the backend keeps its spelling and order.
    [data]: JSON.stringify(lease.data),
    [publicIp]: lease.publicIp,
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

/** What has to be patched into the Node's status so that it tells its lease of each family; undefined when it does. `now` is RFC 3339. */
export function nodePatch(node: Node, leases: readonly SubnetLease[], now: string): object | undefined {
  const wanted: Record<string, string> = Object.assign({}, ...leases.map(annotationsOf));
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
