/** The resolv.conf of a pod. */
import type { Pod, PodDNSConfig } from '../../api/schema/types.ts';
import type { DNSConfig } from '../cri/messages.ts';
import { namespaceOf, specOf } from './spec.ts';

export interface ClusterDns {
  readonly servers: readonly string[];
  readonly domain: string;
}

/** What the resolver library reads: 3 servers, 32 searches. */
const maxServers = 3;
const maxSearches = 32;

export function podDns(pod: Pod, cluster: ClusterDns, host: DNSConfig): DNSConfig {
  const { servers, searches, options } = withOwn(byPolicy(pod, cluster, host), specOf(pod).dnsConfig ?? {});
  return { servers: [...new Set(servers)].slice(0, maxServers), searches: [...new Set(searches)].slice(0, maxSearches), options };
}

function byPolicy(pod: Pod, cluster: ClusterDns, host: DNSConfig): DNSConfig {
  const { dnsPolicy = 'ClusterFirst', hostNetwork } = specOf(pod);
  if (dnsPolicy === 'None') return { servers: [], searches: [], options: [] };
  const clusterFirst = dnsPolicy === 'ClusterFirstWithHostNet' || (dnsPolicy === 'ClusterFirst' && !hostNetwork);
  if (!clusterFirst || cluster.servers.length === 0) return host;
  const { servers, domain } = cluster;
  const searches = domain === '' ? [] : [`${namespaceOf(pod)}.svc.${domain}`, `svc.${domain}`, domain];
  return { servers: [...servers], searches: [...searches, ...host.searches], options: ['ndots:5'] };
}

/** What the pod asks for itself is added; an option of its own takes the place of one with that name. */
function withOwn(config: DNSConfig, { nameservers = [], searches = [], options = [] }: PodDNSConfig): DNSConfig {
  const nameOf = (option: string): string => option.split(':')[0] ?? '';
  const own = options.map(({ name = '', value }) => (value ? `${name}:${value}` : name));
  const latest = own.filter((option, i) => !own.slice(i + 1).some((later) => nameOf(later) === nameOf(option)));
  const kept = config.options.filter((option) => !own.some((o) => nameOf(o) === nameOf(option)));
  return { servers: [...config.servers, ...nameservers], searches: [...config.searches, ...searches], options: [...kept, ...latest] };
}
