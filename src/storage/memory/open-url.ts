/** Opens `memory:`, a store that ends with its process. */
import type { Store, StoreSettings } from '../store.ts';
import type { StoreUrl } from '../store-url.ts';
import { MemoryStore } from './memory-store.ts';

export async function openMemoryUrl(url: StoreUrl, settings: StoreSettings): Promise<Store> {
  const { 'max-events': maxEvents } = readMemoryUrl(url);
  return new MemoryStore({ ...settings, ...(maxEvents === undefined ? {} : { maxEvents }) });
}

/** Throws BAD_CONFIG. */
export function readMemoryUrl(url: StoreUrl): { readonly 'max-events'?: number } {
  url.hasNoPath();
  return url.numbers(['max-events']);
}
