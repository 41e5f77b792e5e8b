/** `sqlite:///var/lib/fairlead/state.db`, with what may be set of it. */
import type { Store, StoreSettings } from '../store.ts';
import type { StoreUrl } from '../store-url.ts';
import { openSqliteStore } from './sqlite-store.ts';

/** Of the disk, for deletes when it is full. */
const defaultReserve = 32 << 20;

export async function openSqliteUrl(url: StoreUrl, settings: StoreSettings): Promise<Store> {
  const { path } = url;
  const given = url.numbers(['reserve-bytes', 'max-log-events', 'max-log-bytes']);
  return openSqliteStore(path, {
    ...settings,
    reserveBytes: given['reserve-bytes'] ?? defaultReserve,
    ...(given['max-log-events'] === undefined ? {} : { maxLogEvents: given['max-log-events'] }),
    ...(given['max-log-bytes'] === undefined ? {} : { maxLogBytes: given['max-log-bytes'] }),
  });
}
