/** Opens `redis://HOST:6379/0`, over TLS `rediss://`, and by sentinels `redis+sentinel://HOST,HOST,HOST/mymaster`. */
import type { Store, StoreSettings } from '../store.ts';
import type { StoreUrl } from '../store-url.ts';
import { readRedisUrl } from './address.ts';
import { openRedisStore } from './redis-store.ts';

export function openRedisUrl(url: StoreUrl, settings: StoreSettings): Promise<Store> {
  return openRedisStore(readRedisUrl(url), settings);
}
