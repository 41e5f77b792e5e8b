/** Opens a store by its URL. A new backend is a folder that passes `testing/conformance.ts`, and a line of `backends`. */
import { KnownError } from '../errors/known-error.ts';
import type { Filled, StoreImage } from './image.ts';
import type { Store, StoreSettings } from './store.ts';
import { StoreUrl } from './store-url.ts';

interface Backend {
  /** A URL to show to whoever gave one of an unknown scheme. */
  readonly example: string;
  /** Throws BAD_CONFIG for a URL that is not whole. */
  read(url: StoreUrl): Promise<unknown>;
  /** Loads the backend's code only when it is used. */
  open(url: StoreUrl, settings: StoreSettings): Promise<Store>;
  /** What the store holds now. Servers may have it open; STORE_IN_USE where it is to be `closed` and that can be known. */
  image?(url: StoreUrl, options: ImageOptions): Promise<StoreImage>;
  /** A snapshot in the engine's own format, in pieces: for an engine with tools that restore it. */
  database?(url: StoreUrl): Promise<AsyncIterable<Uint8Array>>;
  /**
   * Fills a store that is empty, and that no server has open. Its revision is then at least `revision`, and all before its revision counts as
   * compacted. Throws STORE_NOT_EMPTY, and changes nothing, when it holds something.
   */
  fill?(url: StoreUrl, image: StoreImage, revision: number, signal: AbortSignal | undefined): Promise<Filled>;
}

export interface ImageOptions {
  readonly closed: boolean;
}

const redis = (example: string): Backend => ({
  example,
  read: async (url) => (await import('./redis/address.ts')).readRedisUrl(url),
  open: async (url, settings) => (await import('./redis/open-url.ts')).openRedisUrl(url, settings),
  image: async (url) => (await import('./redis/image.ts')).readRedisImage((await import('./redis/address.ts')).readRedisUrl(url)),
  fill: async (url, image, revision) =>
    (await import('./redis/image.ts')).fillRedis((await import('./redis/address.ts')).readRedisUrl(url), image, revision),
});

const etcd = (example: string): Backend => ({
  example,
  read: async (url) => (await import('./etcd/address.ts')).readEtcdUrl(url),
  open: async (url, settings) => (await import('./etcd/open-url.ts')).openEtcdUrl(url, settings),
  database: async (url) => (await import('./etcd/image.ts')).readEtcdDatabase((await import('./etcd/address.ts')).readEtcdUrl(url)),
  image: async (url) => (await import('./etcd/image.ts')).readEtcdImage((await import('./etcd/address.ts')).readEtcdUrl(url)),
  fill: async (url, image, revision, signal) =>
    (await import('./etcd/image.ts')).fillEtcd((await import('./etcd/address.ts')).readEtcdUrl(url), image, revision, signal),
});

/** By scheme. */
const backends: Readonly<Record<string, Backend>> = {
  sqlite: {
    example: 'sqlite:///var/lib/fairlead/state.db',
    read: async (url) => (await import('./sqlite/open-url.ts')).readSqliteUrl(url),
    open: async (url, settings) => (await import('./sqlite/open-url.ts')).openSqliteUrl(url, settings),
    image: async (url, options) => (await import('./sqlite/image-url.ts')).readSqliteUrl(url, options),
    fill: async (url, image, revision) => (await import('./sqlite/image-url.ts')).fillSqliteUrl(url, image, revision),
  },
  memory: {
    example: 'memory:',
    read: async (url) => (await import('./memory/open-url.ts')).readMemoryUrl(url),
    open: async (url, settings) => (await import('./memory/open-url.ts')).openMemoryUrl(url, settings),
  },
  'etcd+https': etcd('etcd=https://10.0.0.1:2379,https://10.0.0.2:2379,https://10.0.0.3:2379?ca-file=/etc/kubernetes/pki/etcd/ca.crt'),
  'etcd+http': etcd('etcd=http://127.0.0.1:2379'),
  redis: redis('redis://127.0.0.1:6379/0'),
  rediss: redis('rediss://redis.example.com:6379/0?ca=/etc/fairlead/redis-ca.crt'),
  'redis+sentinel': redis('redis+sentinel://10.0.0.1,10.0.0.2,10.0.0.3/mymaster'),
  'rediss+sentinel': redis('rediss+sentinel://10.0.0.1,10.0.0.2,10.0.0.3/mymaster?ca=/etc/fairlead/redis-ca.crt'),
};

/** Throws BAD_CONFIG for a URL that cannot be used. Opens nothing. */
export async function checkStoreUrl(text: string): Promise<void> {
  const { url, backend } = find(text);
  await backend.read(url);
}

/** Throws BAD_CONFIG for a URL that cannot be used, and what the backend throws when it cannot open. */
export async function openStore(text: string, settings: StoreSettings): Promise<Store> {
  const { url, backend } = find(text);
  return backend.open(url, settings);
}

/** What the store holds now: `Backend.image`. */
export async function openImage(text: string, options: ImageOptions): Promise<StoreImage> {
  const { url, backend } = find(text);
  if (!backend.image) throw cannot('read', url);
  return backend.image(url, options);
}

/** The engine's own snapshot: `Backend.database`. Undefined where there is no such thing. */
export async function openDatabase(text: string): Promise<AsyncIterable<Uint8Array> | undefined> {
  const { url, backend } = find(text);
  return backend.database?.(url);
}

/** Fills an empty store: `Backend.fill`. Throws soon after the signal aborted. */
export async function fillStore(
  text: string,
  image: StoreImage,
  revision: number,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<Filled> {
  const { url, backend } = find(text);
  if (!backend.fill) throw cannot('fill', url);
  const ending: StoreImage = {
    ...image,
    async *records() {
      for await (const record of image.records()) {
        signal?.throwIfAborted();
        yield record;
      }
    },
  };
  return backend.fill(url, ending, revision, signal);
}

function find(text: string): { readonly url: StoreUrl; readonly backend: Backend } {
  const examples = Object.fromEntries(Object.entries(backends).map(([scheme, { example }]) => [scheme, example]));
  const url = StoreUrl.parse(text, examples);
  return { url, backend: backends[url.scheme]! };
}

function cannot(action: 'read' | 'fill', url: StoreUrl): KnownError {
  const able = Object.values(backends).filter((backend) => (action === 'read' ? backend.image : backend.fill));
  return new KnownError('BAD_CONFIG', `Cannot ${action} store "${url.shown}" from outside of its server`, {
    hint: `This works with ${able.map(({ example }) => `"${example}"`).join(', ')}`,
  });
}
