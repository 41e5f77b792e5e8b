/** A cluster as "fairlead init" makes it: what flags and kubeadm's configuration say, and the presets for what neither does. Pure. */
import { isDns1123Subdomain } from '../../api/validation/names.ts';
import { KnownError } from '../../errors/known-error.ts';
import { type Cidr, cidrOverlaps, type Family, familyOf, isIp, joinHostPort, nthIp, parseCidr } from '../../ip/ip.ts';
import type { ClusterConfiguration, InitConfiguration, ProxyConfiguration } from './documents.ts';
import { etcdUrl } from './shared-store.ts';

/** What flags say; undefined where the file, or the preset, holds. */
export interface ClusterWish {
  readonly podSubnet?: string | undefined;
  readonly serviceSubnet?: string | undefined;
  readonly dnsDomain?: string | undefined;
  readonly controlPlaneEndpoint?: string | undefined;
  readonly store?: string | undefined;
  readonly bindPort?: number | undefined;
  readonly certSans?: readonly string[] | undefined;
  readonly networkBackend?: string | undefined;
  readonly proxyMode?: string | undefined;
  readonly ipvsScheduler?: string | undefined;
}

export interface ClusterPlan {
  readonly clusterName: string;
  readonly kubernetesVersion: string | undefined;
  readonly podSubnet: string;
  readonly serviceSubnet: string;
  readonly dnsDomain: string;
  /** Of the Service kubernetes, and of kube-dns. */
  readonly kubernetesAddress: string;
  readonly dnsAddress: string;
  /** Where this machine's API server listens. */
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
  podSubnet: '10.244.0.0/16',
  serviceSubnet: '10.96.0.0/16',
  dnsDomain: 'cluster.local',
  bindPort: 6443,
  networkBackend: 'vxlan',
  proxyMode: 'nftables',
} as const;

/** Where the machine is known by an address of IPv6. */
const presetsOfIpv6 = { podSubnet: 'fd00:10:244::/56', serviceSubnet: 'fd00:10:96::/112' } as const;

function bad(what: string, why: string, hint: string): KnownError {
  return new KnownError('BAD_CONFIG', `Cannot use ${what}: ${why}`, { hint });
}

/** The least and the greatest prefix length of a range, and an example. */
const limits = {
  'pod subnet': { 4: [0, 24, '10.244.0.0/16'], 6: [48, 64, 'fd00:10:244::/56'] },
  // Upstream keeps track of no more than 2^20 addresses.
  'Service subnet': { 4: [0, 28, '10.96.0.0/16'], 6: [108, 124, 'fd00:10:96::/112'] },
} as const;

function range(what: keyof typeof limits, text: string, family: Family): Cidr {
  const cidr = text.includes('/') ? parseCidr(text) : undefined;
  const [least, most, example] = limits[what][cidr?.family ?? family];
  if (text.includes(','))
    throw bad(`${what} "${text}"`, 'a cluster that init makes has ranges of one family', `Give one such as ${example}`);
  if (!cidr) throw bad(`${what} "${text}"`, 'it is no range', `Give one such as ${example}`);
  if (cidr.prefix > most) throw bad(`${what} "${text}"`, `a prefix of at most /${most} is needed`, 'Give a larger range');
  if (cidr.prefix < least) throw bad(`${what} "${text}"`, `a prefix of at least /${least} is needed`, 'Give a smaller range');
  if (cidr.family !== family)
    throw bad(
      `${what} "${text}"`,
      `this machine is known by an IPv${family} address`,
      `Give one such as ${limits[what][family][2]}, or the address of the other family: --node-ip`,
    );
  return cidr;
}

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

/** Throws BAD_CONFIG. */
export function planCluster(
  wish: ClusterWish,
  documents: { readonly init?: InitConfiguration; readonly cluster?: ClusterConfiguration; readonly proxy?: ProxyConfiguration },
  advertiseAddress: string,
): ClusterPlan {
  const { init = {}, cluster = {} } = documents;
  const { networking = {} } = cluster;
  const { pods, services } = planRanges(wish, networking, advertiseAddress);
  // What is empty in a file is as if it were not there, as with kubeadm.
  const bindPort = portOf('bindPort', wish.bindPort ?? (init.localAPIEndpoint?.bindPort || clusterPresets.bindPort));
  const chosen = wish.controlPlaneEndpoint ?? (cluster.controlPlaneEndpoint || undefined);
  return {
    clusterName: cluster.clusterName ?? clusterPresets.clusterName,
    kubernetesVersion: cluster.kubernetesVersion,
    podSubnet: pods.text,
    serviceSubnet: services.text,
    dnsDomain: domainOf('DNS domain', wish.dnsDomain ?? (networking.dnsDomain || clusterPresets.dnsDomain)),
    kubernetesAddress: nthIp(services, 1),
    dnsAddress: nthIp(services, 10),
    advertiseAddress,
    bindPort,
    endpoint: endpointOf(chosen ?? advertiseAddress, bindPort),
    hasEndpoint: chosen !== undefined,
    certSans: [...(cluster.apiServer?.certSANs ?? []), ...(wish.certSans ?? [])].map(sanOf),
    store: wish.store ?? (cluster.etcd?.external ? etcdUrl(cluster.etcd.external) : undefined),
    networkBackend: wish.networkBackend ?? clusterPresets.networkBackend,
    proxy: planProxy(wish, documents.proxy, pods.text),
  };
}

/** Of pods and Services; this machine's address may be in none of them. */
function planRanges(
  wish: ClusterWish,
  networking: NonNullable<ClusterConfiguration['networking']>,
  advertiseAddress: string,
): { readonly pods: Cidr; readonly services: Cidr } {
  const family = familyOf(advertiseAddress);
  const preset = family === 4 ? clusterPresets : presetsOfIpv6;
  const pods = range('pod subnet', wish.podSubnet ?? networking.podSubnet ?? preset.podSubnet, family);
  const services = range('Service subnet', wish.serviceSubnet ?? networking.serviceSubnet ?? preset.serviceSubnet, family);
  if (cidrOverlaps(pods, services))
    throw bad(`"${pods.text}" for pods and "${services.text}" for Services`, 'they overlap', 'Give ranges that have no address in common');
  for (const [what, cidr] of [
    ['pods', pods],
    ['Services', services],
  ] as const) {
    const address = parseCidr(advertiseAddress);
    if (address && cidrOverlaps(cidr, address))
      throw bad(`"${cidr.text}" for ${what}`, `the address of this machine, ${advertiseAddress}, is in it`, 'Give another range');
  }
  return { pods, services };
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
