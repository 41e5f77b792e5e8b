/** The store of a cluster as its URL says it, for machines that share it: what kind it is, the files that it names, kubeadm's words for it. Pure. */
import { badConfig } from '../../api/configuration-fields.ts';

/** `etcd.external` of kubeadm's ClusterConfiguration. */
export interface ExternalEtcd {
  readonly endpoints?: readonly string[];
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
}

/** Options of a URL that name files, by kind of store; and under what name each of them travels, which for etcd is kubeadm's. */
const fileOptions: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  etcd: { 'ca-file': 'external-etcd-ca.crt', 'cert-file': 'external-etcd.crt', 'key-file': 'external-etcd.key' },
  redis: {
    ca: 'external-redis-ca.crt',
    cert: 'external-redis.crt',
    key: 'external-redis.key',
    'password-file': 'external-redis-password',
    'sentinel-password-file': 'external-redis-sentinel-password',
  },
};

export type StoreKind = 'sqlite' | 'etcd' | 'redis' | 'memory';

/** Without a URL it is the file that the server keeps by itself. What is no store at all, who opens it refuses. */
export function storeKind(url: string | undefined): StoreKind {
  if (url?.startsWith('etcd=')) return 'etcd';
  if (/^rediss?(\+sentinel)?:/.test(url ?? '')) return 'redis';
  return url?.startsWith('memory:') ? 'memory' : 'sqlite';
}

/** Whether several machines can use it. */
export function isShared(url: string | undefined): url is string {
  return url !== undefined && ['etcd', 'redis'].includes(storeKind(url));
}

function optionsOf(url: string): URLSearchParams {
  return new URLSearchParams(url.slice(url.indexOf('?') + 1 || url.length));
}

/** The files that a server needs to reach its store, by the names under which they travel. */
export function storeFiles(url: string | undefined): Readonly<Record<string, string>> {
  if (!isShared(url)) return {};
  const options = optionsOf(url);
  return Object.fromEntries(
    Object.entries(fileOptions[storeKind(url)] ?? {}).flatMap(([option, name]) => {
      const path = options.get(option);
      return path === null ? [] : [[name, path]];
    }),
  );
}

/** As "fairlead server --store" takes it. Throws BAD_CONFIG. */
export function etcdUrl({ endpoints = [], caFile, certFile, keyFile }: ExternalEtcd): string {
  if (endpoints.length === 0)
    throw badConfig('"etcd.external"', 'it has no endpoints', 'Give them as endpoints: [https://10.0.0.1:2379, …]');
  const files = Object.entries({ 'ca-file': caFile, 'cert-file': certFile, 'key-file': keyFile });
  const query = files.flatMap(([option, path]) => (path ? [`${option}=${encodeURI(path)}`] : [])).join('&');
  return `etcd=${endpoints.map((one) => one.replace(/\/+$/, '')).join(',')}${query === '' ? '' : `?${query}`}`;
}

/** Options of an etcd that kubeadm has no word for, such as its prefix, as they stand in a URL. */
export function moreOptions(url: string | undefined): string {
  if (url === undefined || storeKind(url) !== 'etcd') return '';
  const named = Object.keys(fileOptions.etcd ?? {});
  return [...optionsOf(url)].flatMap(([name, value]) => (named.includes(name) ? [] : [`${name}=${encodeURI(value)}`])).join('&');
}

/** The URL with these besides. */
export function withOptions(url: string, options: string): string {
  return options === '' ? url : `${url}${url.includes('?') ? '&' : '?'}${options}`;
}

/** The other way; undefined for a store that is no etcd. What kubeadm has no word for are `moreOptions`. */
export function externalEtcd(url: string | undefined): ExternalEtcd | undefined {
  if (url === undefined || storeKind(url) !== 'etcd') return undefined;
  const [, scheme = '', hosts = ''] = /^etcd=(https?):\/\/([^?]*)/.exec(url) ?? [];
  const options = optionsOf(url);
  const file = (field: string, option: string): object => (options.has(option) ? { [field]: options.get(option) } : {});
  return {
    endpoints: hosts.split(',').map((host) => `${scheme}://${host.replace(/^https?:\/\//, '')}`),
    ...file('caFile', 'ca-file'),
    ...file('certFile', 'cert-file'),
    ...file('keyFile', 'key-file'),
  };
}
