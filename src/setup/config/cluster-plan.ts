/** A cluster as "fairlead init" makes it: what flags and kubeadm's configuration say, and the presets for what neither does. Pure. */
import { isDns1123Subdomain } from '../../api/validation/names.ts';
import { isIp, joinHostPort, nthIp } from '../../ip/ip.ts';
import { argumentPairs, argumentsIn, type ClusterConfiguration, type InitConfiguration, type ProxyConfiguration } from './documents.ts';
import { bad, familiesOf, type NodeMasks, planRanges, type RangeWish, textOf } from './ranges.ts';
import { etcdUrl } from './shared-store.ts';

/** What flags say; undefined where the file, or the preset, holds. */
export interface ClusterWish extends RangeWish {
  readonly dnsDomain?: string | undefined;
  readonly controlPlaneEndpoint?: string | undefined;
  readonly store?: string | undefined;
  readonly bindPort?: number | undefined;
  readonly certSans?: readonly string[] | undefined;
  readonly networkBackend?: string | undefined;
  readonly proxyMode?: string | undefined;
  readonly ipvsScheduler?: string | undefined;
  /** Those of a cluster that is there; each holds where the file does not name it. */
  readonly nodeMasks?: ClusterPlan['nodeMasks'];
  readonly clusterName?: string | undefined;
}

export interface ClusterPlan {
  readonly clusterName: string;
  readonly kubernetesVersion: string | undefined;
  /** One range, or one of each family with a comma between them. */
  readonly podSubnet: string;
  readonly serviceSubnet: string;
  /** Flags of the controller manager that say how large a node's part of `podSubnet` is, where somebody does. */
  readonly nodeMasks: Readonly<Record<string, string>>;
  readonly dnsDomain: string;
  /** Of the Service kubernetes, and of kube-dns. */
  readonly kubernetesAddress: string;
  readonly dnsAddress: string;
  /** Of this machine, one or one of each family. */
  readonly addresses: readonly string[];
  /** The first of them, at which others reach its API server. */
  readonly advertiseAddress: string;
  readonly bindPort: number;
  /** `HOST:PORT` at which nodes and people reach the control plane. */
  readonly endpoint: string;
  /** Whether somebody chose that name; otherwise it is this machine's address. */
  readonly hasEndpoint: boolean;
  readonly certSans: readonly string[];
  /** As "fairlead server --store" takes it; undefined for the file that the server keeps by itself. */
  readonly store: string | undefined;
  readonly networkBackend: string;
  readonly proxy: ProxyConfiguration;
}

export const clusterPresets = {
  clusterName: 'kubernetes',
  dnsDomain: 'cluster.local',
  bindPort: 6443,
  networkBackend: 'vxlan',
  proxyMode: 'nftables',
} as const;

function portOf(what: string, port: number): number {
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw bad(`${what} ${port}`, 'it is no port', 'Give one of 1 to 65535, such as 6443');
}

function domainOf(what: string, name: string): string {
  const [problem] = isDns1123Subdomain(name);
  if (problem === undefined) return name;
  throw bad(`${what} "${name}"`, 'it is no name of DNS', 'It takes a-z, 0-9, "-" and "."');
}

/** An address or a name, which may begin with `*.`, as kubeadm has it. */
function sanOf(text: string): string {
  return isIp(text) ? text : domainOf('certificate name', text.replace(/^\*\./, '')) && text;
}

/** `HOST` or `HOST:PORT`, an address or a name. Throws BAD_CONFIG. */
export function endpointOf(text: string, port: number): string {
  // An address of IPv6 without brackets has no port, however it ends.
  if (isIp(text)) return joinHostPort(text, port);
  const [, host = text, own] = /^\[?([^\]]*?)\]?(?::(\d+))?$/.exec(text) ?? [];
  if (!isIp(host) && !/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(host))
    throw bad(`the control plane's endpoint "${text}"`, 'it is no address and no name', 'Give HOST or HOST:PORT');
  return joinHostPort(host, own === undefined ? port : portOf(`the control plane's endpoint "${text}": port`, Number(own)));
}

/** Of `HOST:PORT`; an address of IPv6 without brackets. */
export function hostOf(endpoint: string): string {
  return endpoint.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
}

/** What flags say of the ranges goes over what the file says. */
export function rangeWish(wish: ClusterWish, { networking = {} }: ClusterConfiguration = {}): RangeWish {
  // What is empty in a file is as if it were not there, as with kubeadm.
  return {
    podSubnet: wish.podSubnet ?? (networking.podSubnet || undefined),
    serviceSubnet: wish.serviceSubnet ?? (networking.serviceSubnet || undefined),
  };
}

export const maskFlags = ['node-cidr-mask-size', 'node-cidr-mask-size-ipv4', 'node-cidr-mask-size-ipv6'] as const;

/** Of a cluster that is there: its other arguments are for the programs of whoever made it. */
export function masksOfCluster({ controllerManager }: ClusterConfiguration): ClusterPlan['nodeMasks'] {
  const known: readonly string[] = maskFlags;
  return Object.fromEntries(argumentPairs(controllerManager?.extraArgs ?? {}).filter(([name]) => known.includes(name)));
}

/** `pods`, ranges or addresses, say of which family that without a family is. */
function masksOf(flags: Readonly<Record<string, string>>, pods: string): NodeMasks {
  const masks = { 4: 24, 6: 64 };
  for (const [flag, text] of Object.entries(flags)) {
    const families = flag === 'node-cidr-mask-size' ? familiesOf(pods) : [flag.endsWith('ipv4') ? (4 as const) : (6 as const)];
    const [family, second] = families as [4 | 6, (4 | 6)?];
    const named = `controllerManager.extraArgs.${flag} "${text}"`;
    if (second !== undefined)
      throw bad(named, 'pods have ranges of both families', 'Give node-cidr-mask-size-ipv4 and node-cidr-mask-size-ipv6');
    const most = family === 4 ? 30 : 126;
    if (!/^\d+$/.test(text) || Number(text) < 1 || Number(text) > most)
      throw bad(named, `it is no length of a prefix of IPv${family}`, `Give one of 1 to ${most}`);
    masks[family] = Number(text);
  }
  return masks;
}

function nameOf(wish: ClusterWish, cluster: ClusterConfiguration): string {
  return (cluster.clusterName || wish.clusterName) ?? clusterPresets.clusterName;
}

/** Throws BAD_CONFIG. */
export function planCluster(
  wish: ClusterWish,
  documents: { readonly init?: InitConfiguration; readonly cluster?: ClusterConfiguration; readonly proxy?: ProxyConfiguration },
  addresses: readonly [string, ...string[]],
): ClusterPlan {
  const { init = {}, cluster = {} } = documents;
  const { networking = {} } = cluster;
  const ranges = rangeWish(wish, cluster);
  const said = argumentsIn(cluster.controllerManager?.extraArgs ?? {}, 'controllerManager.extraArgs', maskFlags);
  const nodeMasks = { ...wish.nodeMasks, ...said };
  const { pods, services } = planRanges(
    ranges,
    addresses,
    masksOf(nodeMasks, ranges.podSubnet ?? ranges.serviceSubnet ?? addresses.join()),
  );
  const [advertiseAddress] = addresses;
  const bindPort = portOf('bindPort', wish.bindPort ?? (init.localAPIEndpoint?.bindPort || clusterPresets.bindPort));
  const chosen = wish.controlPlaneEndpoint ?? (cluster.controlPlaneEndpoint || undefined);
  return {
    clusterName: nameOf(wish, cluster),
    kubernetesVersion: cluster.kubernetesVersion,
    podSubnet: textOf(pods),
    serviceSubnet: textOf(services),
    nodeMasks,
    dnsDomain: domainOf('DNS domain', wish.dnsDomain ?? (networking.dnsDomain || clusterPresets.dnsDomain)),
    kubernetesAddress: nthIp(services[0]!, 1),
    dnsAddress: nthIp(services[0]!, 10),
    addresses,
    advertiseAddress,
    bindPort,
    endpoint: endpointOf(chosen ?? advertiseAddress, bindPort),
    hasEndpoint: chosen !== undefined,
    certSans: [...(cluster.apiServer?.certSANs ?? []), ...(wish.certSans ?? [])].map(sanOf),
    store: wish.store ?? (cluster.etcd?.external ? etcdUrl(cluster.etcd.external) : undefined),
    networkBackend: wish.networkBackend ?? clusterPresets.networkBackend,
    proxy: planProxy(wish, documents.proxy, textOf(pods)),
  };
}

/** The KubeProxyConfiguration of all nodes. */
function planProxy({ proxyMode, ipvsScheduler }: ClusterWish, document: ProxyConfiguration = {}, podSubnet: string): ProxyConfiguration {
  const ipvs = { ...(document.ipvs as object | undefined), ...(ipvsScheduler === undefined ? {} : { scheduler: ipvsScheduler }) };
  return {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    ...document,
    clusterCIDR: document.clusterCIDR || podSubnet,
    mode: proxyMode ?? (document.mode || clusterPresets.proxyMode),
    ...(Object.keys(ipvs).length > 0 ? { ipvs } : {}),
  };
}
