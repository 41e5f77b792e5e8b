/** Opens `memory:`, a store that ends with its process. */
import type { Store, StoreSettings } from '../store.ts';
import type { StoreUrl } from '../store-url.ts';
import { MemoryStore } from './memory-store.ts';

export async function openMemoryUrl(url: StoreUrl, settings: StoreSettings): Promise<Store> {
  url.hasNoPath();
  const { 'max-events': maxEvents } = url.numbers(['max-events']);
  return new MemoryStore({ ...settings, ...(maxEvents === undefined ? {} : { maxEvents }) });
}
