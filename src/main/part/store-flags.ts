/** The flags that name the store: ours, a URL, and upstream's, which name an etcd. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { textFlag } from '../../cli/command.ts';
import { KnownError } from '../../errors/known-error.ts';
import type { FlagReader } from '../flag-reader.ts';
import type { PartFlag } from './part.ts';

/** Of upstream's, for commands that run the API server alone. */
function etcdFlag(kind: string, help: string, standard?: string): PartFlag {
  return { ...(standard === undefined ? textFlag(kind, help) : textFlag(kind, help, standard)), among: false };
}

type StoreFlag =
  | 'data-dir'
  | 'store'
  | 'etcd-servers'
  | 'etcd-cafile'
  | 'etcd-certfile'
  | 'etcd-keyfile'
  | 'etcd-prefix'
  | 'etcd-compaction-interval';

export const storeFlags: Readonly<Record<StoreFlag, PartFlag>> = {
  'data-dir': textFlag('DIR', 'where the store lives', '/var/lib/fairlead/server'),
  store: textFlag(
    'URL',
    'another store than the file state.db there: sqlite:///DIR/FILE, etcd=https://HOST:PORT,…, redis://HOST:PORT/DB, or memory: to forget all',
  ),
  'etcd-servers': etcdFlag('URLS', 'members of an etcd that is the store, with commas between them'),
  'etcd-cafile': etcdFlag('FILE', 'authority of their certificates'),
  'etcd-certfile': etcdFlag('FILE', 'certificate to show them'),
  'etcd-keyfile': etcdFlag('FILE', 'its key'),
  'etcd-prefix': etcdFlag('PREFIX', 'what the keys in etcd begin with', '/registry'),
  'etcd-compaction-interval': etcdFlag('DURATION', 'how often old revisions in etcd are forgotten; 0 for never', '5m'),
};

/** Throws USAGE. */
export function storeUrlOf(read: FlagReader<StoreFlag>): string {
  const store = read.optional('store');
  const servers = read.optional('etcd-servers');
  if (servers === undefined) return store ?? `sqlite://${pathToFileURL(join(read.text('data-dir'), 'state.db')).pathname}`;
  if (store !== undefined)
    throw new KnownError('USAGE', `Cannot use --store="${store}": --etcd-servers names another store`, { hint: 'Give one of the two' });
  const options = {
    'ca-file': read.optional('etcd-cafile'),
    'cert-file': read.optional('etcd-certfile'),
    'key-file': read.optional('etcd-keyfile'),
    prefix: read.text('etcd-prefix'),
    'compaction-interval': String(read.seconds('etcd-compaction-interval', 1, 2 ** 31)),
  };
  const given = Object.entries(options).filter((option): option is [string, string] => option[1] !== undefined);
  return `etcd=${servers}?${new URLSearchParams(given)}`;
}
