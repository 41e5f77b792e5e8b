/** Opens a store by its URL. A new backend is a folder that passes `testing/conformance.ts`, and a line of `backends`. */
import type { Store, StoreSettings } from './store.ts';
import { StoreUrl } from './store-url.ts';

interface Backend {
  /** A URL to show to whoever gave one of an unknown scheme. */
  readonly example: string;
  /** Loads the backend's code only when it is used. */
  open(url: StoreUrl, settings: StoreSettings): Promise<Store>;
}

const redis = (example: string): Backend => ({
  example,
  open: async (url, settings) => (await import('./redis/open-url.ts')).openRedisUrl(url, settings),
});

const etcd = (example: string): Backend => ({
  example,
  open: async (url, settings) => (await import('./etcd/open-url.ts')).openEtcdUrl(url, settings),
});

/** By scheme. */
const backends: Readonly<Record<string, Backend>> = {
  sqlite: {
    example: 'sqlite:///var/lib/fairlead/state.db',
    open: async (url, settings) => (await import('./sqlite/open-url.ts')).openSqliteUrl(url, settings),
  },
  memory: {
    example: 'memory:',
    open: async (url, settings) => (await import('./memory/open-url.ts')).openMemoryUrl(url, settings),
  },
  'etcd+https': etcd('etcd=https://10.0.0.1:2379,https://10.0.0.2:2379,https://10.0.0.3:2379?ca-file=/etc/kubernetes/pki/etcd/ca.crt'),
  'etcd+http': etcd('etcd=http://127.0.0.1:2379'),
  redis: redis('redis://127.0.0.1:6379/0'),
  rediss: redis('rediss://redis.example.com:6379/0?ca=/etc/fairlead/redis-ca.crt'),
  'redis+sentinel': redis('redis+sentinel://10.0.0.1,10.0.0.2,10.0.0.3/mymaster'),
  'rediss+sentinel': redis('rediss+sentinel://10.0.0.1,10.0.0.2,10.0.0.3/mymaster?ca=/etc/fairlead/redis-ca.crt'),
};

/** Throws BAD_CONFIG for a URL that cannot be used, and what the backend throws when it cannot open. */
export async function openStore(text: string, settings: StoreSettings): Promise<Store> {
  const examples = Object.fromEntries(Object.entries(backends).map(([scheme, { example }]) => [scheme, example]));
  const url = StoreUrl.parse(text, examples);
  return backends[url.scheme]!.open(url, settings);
}
