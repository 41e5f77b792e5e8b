/** Opens `etcd=https://10.0.0.1:2379,https://10.0.0.2:2379,https://10.0.0.3:2379`, with the options in its query. */
import type { Store, StoreSettings } from '../store.ts';
import type { StoreUrl } from '../store-url.ts';
import { readEtcdUrl } from './address.ts';
import { openEtcdStore } from './etcd-store.ts';

export async function openEtcdUrl(url: StoreUrl, settings: StoreSettings): Promise<Store> {
  return openEtcdStore(readEtcdUrl(url), settings);
}
