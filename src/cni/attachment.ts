/** A pod's link to the network, as it is remembered. */
import { createHash } from 'node:crypto';
import { macOfIp } from '../ip/ip.ts';
import type { HostPort } from './spec/request.ts';

export interface Attachment {
  readonly containerId: string;
  readonly ifName: string;
  /** The name of the CNI network. */
  readonly network: string;
  /** Where the namespace was mounted; '' when it is not known any more. */
  readonly netns: string;
  readonly ip: string;
  /** Of the other family, where pods have both. */
  readonly secondIp?: string;
  /** `namespace/name`, for people. */
  readonly pod: string;
  readonly hostPorts: readonly HostPort[];
}

/** What the network is made of on this node; given by the net-agent once it knows. */
export interface PodNetwork extends PodRange {
  /** Of the other family, where pods have both. */
  readonly second?: PodRange;
  readonly bridge: string;
  readonly mtu: number;
}

export interface PodRange {
  readonly podCidr: string;
  /** The bridge's own address: the first of the range. */
  readonly gateway: string;
}

/** One, or one of each family. */
export function rangesOf(network: PodNetwork): readonly PodRange[] {
  return network.second ? [network, network.second] : [network];
}

export function ipsOf({ ip, secondIp }: Pick<Attachment, 'ip' | 'secondIp'>): readonly string[] {
  return secondIp === undefined ? [ip] : [ip, secondIp];
}

export function attachmentKey(a: { readonly containerId: string; readonly ifName: string }): string {
  return `${a.containerId}/${a.ifName}`;
}

/** The name of the node's end: made from the key, so that a DEL finds it without any memory. */
export function hostLinkOf(a: { readonly containerId: string; readonly ifName: string }): string {
  return `veth${createHash('sha256').update(attachmentKey(a)).digest('hex').slice(0, 11)}`;
}

/** The MACs of the two ends of a pod's link. */
export function macOf(ip: string, side: 'pod' | 'host'): string {
  return macOfIp(ip, side === 'pod' ? '0a:58' : '0e:58');
}

const prefix = 'fairlead ';

/** What the node's end says about itself (`ip link` shows it as alias; 255 bytes at most): the memory's second copy. */
export function aliasOf(a: Attachment): string {
  return `${prefix}${ipsOf(a).join(',')} ${attachmentKey(a)} ${a.network} ${a.pod}`.slice(0, 255);
}

/** Reads an attachment back from an alias; its namespace and ports are not in there. */
export function fromAlias(alias: string): Attachment | undefined {
  if (!alias.startsWith(prefix)) return undefined;
  const [ips = '', key, network, pod] = alias.slice(prefix.length).split(' ');
  const [ip, secondIp] = ips.split(',');
  const slash = key?.lastIndexOf('/') ?? -1;
  if (!ip || !key || !network || slash < 1) return undefined;
  return {
    containerId: key.slice(0, slash),
    ifName: key.slice(slash + 1),
    network,
    netns: '',
    ip,
    ...(secondIp ? { secondIp } : {}),
    pod: pod ?? '',
    hostPorts: [],
  };
}
