/** What the rules need to know of the node, from options, its Node object and its links' addresses. Pure. */
import type { Node } from '../api/schema/types.ts';
import { labelTopologyZone } from '../api/well-known.ts';
import { cidrContains, familyOf, mustCidr, parseCidr, parseIp } from '../ip/ip.ts';
import { type TableFamily, tableFamilies } from '../linux/nftables/table.ts';
import type { ProxyOptions } from './options.ts';
import type { LocalDetector, NodeContext } from './plan/node-context.ts';

/** What of a proxy's options is about its node. */
type NodeOptions = Omit<ProxyOptions, 'client'>;

function ofFamily(family: TableFamily, texts: readonly string[]): string[] {
  return texts.filter((text) => familyOf(text) === (family === 'ip' ? 4 : 6));
}

function detector(options: NodeOptions, node: Node | undefined, family: TableFamily): LocalDetector {
  const mode = options.localMode ?? ((options.clusterCidrs ?? []).length > 0 ? 'ClusterCIDR' : 'None');
  const podCidrs = node?.spec?.podCIDRs ?? (node?.spec?.podCIDR ? [node.spec.podCIDR] : []);
  const [cidr] = ofFamily(family, mode === 'NodeCIDR' ? podCidrs : (options.clusterCidrs ?? []));
  const text = cidr === undefined ? undefined : parseCidr(cidr)?.text;
  if (mode === 'BridgeInterface' && options.bridgeInterface) return { mode, interface: options.bridgeInterface };
  if (mode === 'InterfaceNamePrefix' && options.interfaceNamePrefix) return { mode, prefix: options.interfaceNamePrefix };
  if ((mode === 'ClusterCIDR' || mode === 'NodeCIDR') && text !== undefined) return { mode, cidr: text };
  return { mode: 'None' };
}

export const loopbackRanges: Readonly<Record<TableFamily, string>> = { ip: '127.0.0.0/8', ip6: '::1/128' };

export function isLoopback(ip: string): boolean {
  return ip === '::1' || ip.startsWith('127.');
}

/** What nodePortAddresses says of one family. */
function selection({ nodePortAddresses = ['primary'] }: NodeOptions, family: TableFamily): readonly string[] | 'all' {
  // Ranges of the other family alone say nothing about this one, and then kube-proxy serves every address of it.
  const wanted = nodePortAddresses.filter((entry) => !entry.includes('/') || ofFamily(family, [entry]).length > 0);
  const zero = family === 'ip' ? '0.0.0.0/0' : '::/0';
  const isAll = (wanted.length === 0 && nodePortAddresses.length > 0) || wanted.includes('all') || wanted.includes(zero);
  return isAll ? 'all' : wanted;
}

/** The addresses that it selects, loopback too. */
function selectedIps(
  wanted: readonly string[],
  family: TableFamily,
  nodeIps: readonly string[],
  interfaceIps: readonly string[],
): readonly string[] {
  const matching = (entry: string): readonly string[] => {
    if (entry === 'primary') return nodeIps.slice(0, 1);
    const cidr = parseCidr(entry === 'localhost' ? loopbackRanges[family] : entry);
    return cidr ? interfaceIps.filter((ip) => cidrContains(cidr, ip)) : [];
  };
  return [...new Set(wanted.flatMap(matching))].sort();
}

const linkLocal = mustCidr('fe80::/10');

/** Where node ports are served. */
function nodePortIps(
  options: NodeOptions,
  family: TableFamily,
  nodeIps: readonly string[],
  allIps: readonly string[],
): readonly string[] | 'all' {
  const wanted = selection(options, family);
  if (wanted === 'all') return 'all';
  // Rules alone cannot serve loopback, but for iptables with route_localnet: the connection would hang and not be refused.
  const isServed = (ip: string): boolean => !isLoopback(ip) || options.loopbackNodePorts === 'rules';
  return selectedIps(wanted, family, nodeIps, ofFamily(family, allIps)).filter(isServed);
}

/**
 * Where load balancers ask for the health of Services of these families, in order; '' is every address of either. No rule depends on it: an address
 * that leaves its link for a moment moves sockets alone.
 */
export function healthCheckHosts(
  options: NodeOptions,
  node: Node | undefined,
  families: readonly TableFamily[],
  allIps: readonly string[],
): readonly string[] {
  if (tableFamilies.every((family) => selection(options, family) === 'all')) return [''];
  return families.flatMap((family) => {
    const interfaceIps = ofFamily(family, allIps);
    const wanted = selection(options, family);
    const selected = wanted === 'all' ? interfaceIps : selectedIps(wanted, family, nodeIpsOf(options, node, family), interfaceIps);
    // At a link's own address (fe80::) a socket would need the link's name, too.
    return selected.filter((ip) => interfaceIps.includes(ip) && !cidrContains(linkLocal, ip)).sort();
  });
}

/** The node's own addresses of one family. */
function nodeIpsOf(options: NodeOptions, node: Node | undefined, family: TableFamily): readonly string[] {
  const canonical = (texts: readonly string[]): string[] =>
    ofFamily(
      family,
      texts.map((text) => parseIp(text)).filter((ip) => ip !== undefined),
    );
  const given = canonical(options.nodeIps ?? []);
  // A flag that names an address of one family says nothing about the other.
  return given.length > 0 ? given : canonical(internalIps(node));
}

/** The context of one family. */
export function nodeContext(
  options: NodeOptions,
  node: Node | undefined,
  family: TableFamily,
  interfaceIps: readonly string[],
): NodeContext {
  const nodeIps = nodeIpsOf(options, node, family);
  const zone = node?.metadata.labels?.[labelTopologyZone];
  return {
    family,
    nodeName: options.nodeName,
    ...(zone ? { zone } : {}),
    local: detector(options, node, family),
    masqueradeAll: options.masqueradeAll ?? false,
    nodePortIps: nodePortIps(options, family, nodeIps, interfaceIps),
    serviceCidrs: ofFamily(family, options.serviceCidrs ?? []).flatMap((text) => parseCidr(text)?.text ?? []),
    nodeIps,
    ...(options.algorithm ? { algorithm: options.algorithm } : {}),
    ...(options.serviceCounters === false ? {} : { countsConnections: true }),
  };
}

function internalIps(node: Node | undefined): string[] {
  return (node?.status?.addresses ?? []).filter(({ type }) => type === 'InternalIP').map(({ address }) => address);
}

/** That of the first address in options, else of the Node; undefined when there is none. */
export function primaryFamily({ nodeIps = [] }: NodeOptions, node: Node | undefined): TableFamily | undefined {
  const [first] = [...nodeIps, ...internalIps(node)];
  return first === undefined ? undefined : familyOf(first) === 4 ? 'ip' : 'ip6';
}

/** IPv4 always; IPv6 when the node or the cluster has an address or a range of that family. */
export function familiesOf(options: NodeOptions, node: Node | undefined): TableFamily[] {
  const ofNode = [...(node?.status?.addresses ?? []).flatMap(({ address }) => parseIp(address) ?? []), ...(node?.spec?.podCIDRs ?? [])];
  const texts = [...(options.clusterCidrs ?? []), ...(options.nodeIps ?? []), ...(options.serviceCidrs ?? []), ...ofNode];
  return ofFamily('ip6', texts).length > 0 ? ['ip', 'ip6'] : ['ip'];
}
