/** Opens `sqlite:///var/lib/fairlead/state.db`, with the options in its query. */
import type { Store, StoreSettings } from '../store.ts';
import type { StoreUrl } from '../store-url.ts';
import { openSqliteStore } from './sqlite-store.ts';

/** Bytes that are kept for deletes on a full disk. */
const defaultReserve = 32 << 20;

export async function openSqliteUrl(url: StoreUrl, settings: StoreSettings): Promise<Store> {
  const { path, options } = readSqliteUrl(url);
  const { 'reserve-bytes': reserveBytes = defaultReserve, 'max-log-events': maxLogEvents, 'max-log-bytes': maxLogBytes } = options;
  return openSqliteStore(path, { ...settings, reserveBytes, maxLogEvents, maxLogBytes });
}

interface SqliteAddress {
  readonly path: string;
  readonly options: { readonly [name in 'reserve-bytes' | 'max-log-events' | 'max-log-bytes']?: number };
}

/** Throws BAD_CONFIG. */
export function readSqliteUrl(url: StoreUrl): SqliteAddress {
  return { options: url.numbers(['reserve-bytes', 'max-log-events', 'max-log-bytes']), path: url.path };
}
