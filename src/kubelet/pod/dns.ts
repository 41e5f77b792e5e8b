/** The resolv.conf of a pod. */
import type { Pod } from '../../api/schema/types.ts';
import type { DNSConfig } from '../cri/messages.ts';
import { namespaceOf, specOf } from './spec.ts';

export interface ClusterDns {
  readonly servers: readonly string[];
  readonly domain: string;
}

/** Reads a resolv.conf. */
export function parseResolvConf(text: string): DNSConfig {
  const config: DNSConfig = { servers: [], searches: [], options: [] };
  for (const line of text.split('\n')) {
    const [word, ...rest] = line.trim().split(/\s+/);
    if (word === 'nameserver' && rest[0]) config.servers.push(rest[0]);
    else if (word === 'search') config.searches = rest.filter((s) => s !== '.');
    else if (word === 'options') config.options = rest;
  }
  return config;
}

/** What the resolver library reads: 3 servers, 32 searches. */
const maxServers = 3;
const maxSearches = 32;

export function podDns(pod: Pod, cluster: ClusterDns, host: DNSConfig): DNSConfig {
  const spec = specOf(pod);
  const policy = spec.dnsPolicy ?? 'ClusterFirst';
  let config: DNSConfig;
  if (policy === 'None') config = { servers: [], searches: [], options: [] };
  else if (cluster.servers.length > 0 && (policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && !spec.hostNetwork))) {
    const { domain } = cluster;
    const searches = domain === '' ? [] : [`${namespaceOf(pod)}.svc.${domain}`, `svc.${domain}`, domain];
    config = { servers: [...cluster.servers], searches: [...searches, ...host.searches], options: ['ndots:5'] };
  } else config = { servers: [...host.servers], searches: [...host.searches], options: [...host.options] };

  const extra = spec.dnsConfig;
  if (extra) {
    config.servers.push(...(extra.nameservers ?? []));
    config.searches.push(...(extra.searches ?? []));
    for (const { name = '', value } of extra.options ?? []) {
      config.options = config.options.filter((o) => o.split(':')[0] !== name);
      config.options.push(value === undefined || value === '' ? name : `${name}:${value}`);
    }
  }
  return {
    servers: [...new Set(config.servers)].slice(0, maxServers),
    searches: [...new Set(config.searches)].slice(0, maxSearches),
    options: config.options,
  };
}
