/**
 * Which certificates that kubelets serve with may be approved without a person: pure. Upstream approves none, since a node may say of itself that it
 * has any address. What matters is that no node passes for the API server or for another node, so its names must be its own and nobody else's.
 */
import type { CertificateSigningRequest, Node, ServiceCIDR } from '../../api/schema/types.ts';
import { type CertificateNames, kubeletServingProblem, kubeletServingSignerName } from '../../api/validation/kubelet-certificate.ts';
import { labelNodeRoleControlPlane } from '../../api/well-known.ts';
import { cidrContains, isIp, parseCidr, parseIp } from '../../ip/ip.ts';

/** What is known of the cluster. */
export interface KnownAddresses {
  readonly nodes: readonly Node[];
  readonly serviceCidrs: readonly ServiceCIDR[];
  /** Hosts at which the API server is reached: addresses and names. */
  readonly apiServer: readonly string[];
}

const prefix = 'system:node:';
const loopback = ['127.0.0.0/8', '::1/128'].flatMap((text) => parseCidr(text) ?? []);

export function isServing({ spec }: CertificateSigningRequest): boolean {
  return spec.signerName === kubeletServingSignerName;
}

/** Why a person has to decide; undefined when all is as it should be. */
export function doubtOf({ spec }: CertificateSigningRequest, names: CertificateNames, known: KnownAddresses): string | undefined {
  const { username = '', groups = [], usages = [] } = spec;
  const problem = kubeletServingProblem(names, usages);
  if (problem !== undefined) return problem;
  if (names.commonName !== username || !groups.includes('system:nodes')) return `"${username}" asks for "${names.commonName}"`;
  const name = username.slice(prefix.length);
  const node = known.nodes.find(({ metadata }) => metadata.name === name);
  if (!node) return `there is no Node "${name}"`;
  const others = isControlPlane(node) ? { ...known, apiServer: [] } : known;
  const foreign = names.dnsNames.find((one) => one !== name || isOfApiServer(one, others));
  if (foreign !== undefined) return `"${foreign}" is not the name of the Node`;
  return names.ips.map((ip) => addressDoubt(ip, node, others)).find((doubt) => doubt !== undefined);
}

/** The API server is on this very machine, and its key as well. No node can give itself this role (NodeRestriction). */
function isControlPlane({ metadata }: Node): boolean {
  return metadata.labels?.[labelNodeRoleControlPlane] !== undefined;
}

function isOfApiServer(host: string, { apiServer }: KnownAddresses): boolean {
  return (
    host === 'localhost' || /^kubernetes(\.|$)/.test(host) || apiServer.some((one) => (parseIp(one) ?? one) === (parseIp(host) ?? host))
  );
}

function addressDoubt(ip: string, node: Node, known: KnownAddresses): string | undefined {
  if (!addressesOf(node).includes(parseIp(ip))) return `${ip} is no InternalIP of the Node`;
  const other = known.nodes.find((one) => one !== node && addressesOf(one).includes(parseIp(ip)));
  if (other) return `${ip} is an InternalIP of Node "${other.metadata.name}", too`;
  if (isOfApiServer(ip, known)) return `${ip} is an address of the API server`;
  const ranges = [...loopback, ...known.serviceCidrs.flatMap(({ spec }) => (spec?.cidrs ?? []).flatMap((text) => parseCidr(text) ?? []))];
  return ranges.some((range) => cidrContains(range, ip)) ? `${ip} is an address of Services, or of every machine` : undefined;
}

function addressesOf({ status }: Node): (string | undefined)[] {
  return (status?.addresses ?? []).flatMap(({ type, address }) => (type === 'InternalIP' && isIp(address) ? [parseIp(address)] : []));
}

/** The host in a kubeconfig: that of cluster-info is where nodes find the API server. */
export function hostOf(kubeconfig: string | undefined): string[] {
  const [, url = ''] = /\bserver"?:\s*"?(https:\/\/[^"\s]+)/.exec(kubeconfig ?? '') ?? [];
  return URL.canParse(url) ? [new URL(url).hostname.replace(/^\[|\]$/g, '')] : [];
}
