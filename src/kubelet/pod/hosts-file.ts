/** The /etc/hosts that all containers of a pod share. */
import type { HostAlias, Pod } from '../../api/schema/types.ts';
import { namespaceOf, specOf } from './spec.ts';

const header = '# Kubernetes-managed hosts file';

/** `nodeHosts` is the node's own file, which pods with the node's network get. */
export function hostsFile(pod: Pod, ips: readonly string[], clusterDomain: string, nodeHosts: string): string {
  const spec = specOf(pod);
  if (spec.hostNetwork) return `${header} (host network).\n${nodeHosts}${aliases(spec.hostAliases)}`;
  const lines = [
    `${header}.`,
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
  ];
  const name = hostnameOf(pod);
  const domain = domainOf(pod, clusterDomain);
  for (const ip of ips) lines.push(domain ? `${ip}\t${name}.${domain}\t${name}` : `${ip}\t${name}`);
  return `${lines.join('\n')}\n${aliases(spec.hostAliases)}`;
}

function aliases(list: readonly HostAlias[] | undefined): string {
  if (!list?.length) return '';
  return `\n# Entries added by HostAliases.\n${list.map((a) => `${a.ip}\t${(a.hostnames ?? []).join('\t')}\n`).join('')}`;
}

/** The kernel takes host names of up to 63 bytes. */
export function hostnameOf(pod: Pod): string {
  return (specOf(pod).hostname || pod.metadata.name).slice(0, 63).replace(/[-.]+$/, '');
}

function domainOf(pod: Pod, clusterDomain: string): string {
  const { subdomain } = specOf(pod);
  return subdomain ? `${subdomain}.${namespaceOf(pod)}.svc.${clusterDomain}` : '';
}
