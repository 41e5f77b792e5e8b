/** Opens a store by its URL. A new backend is a folder that passes `testing/conformance.ts`, and a line of `backends`. */
import type { Store, StoreSettings } from './store.ts';
import { StoreUrl } from './store-url.ts';

interface Backend {
  /** A URL to show to whoever gave one of an unknown scheme. */
  readonly example: string;
  /** Loads the backend's code only when it is used. */
  open(url: StoreUrl, settings: StoreSettings): Promise<Store>;
}

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
};

/** Throws BAD_CONFIG for a URL that cannot be used, and what the backend throws when it cannot open. */
export async function openStore(text: string, settings: StoreSettings): Promise<Store> {
  const examples = Object.fromEntries(Object.entries(backends).map(([scheme, { example }]) => [scheme, example]));
  const url = StoreUrl.parse(text, examples);
  return backends[url.scheme]!.open(url, settings);
}
