/** How an etcd is reached, read from its URL: `etcd=https://a:2379,https://b:2379?ca-file=…`. The options bear upstream's names without `etcd-`. */
import { readFileSync } from 'node:fs';
import { messageOf } from '../../errors/known-error.ts';
import type { StoreUrl } from '../store-url.ts';
import type { Tls } from './channel.ts';
import { KeySpace } from './key-space.ts';

/** Under which the API server keeps its objects, whatever the prefix in etcd. */
const registry = '/registry';
const files = ['ca-file', 'cert-file', 'key-file'] as const;
const defaultCompactionSeconds = 300;

export interface EtcdSettings {
  /** Such as `https://a:2379`. */
  readonly endpoints: readonly string[];
  readonly tls: Tls | undefined;
  /** The URL, for messages. */
  readonly shown: string;
  readonly space: KeySpace;
  /** 0 leaves compaction to others. */
  readonly compactionMs: number;
}

/** Throws BAD_CONFIG. */
export function readEtcdUrl(url: StoreUrl): EtcdSettings {
  const given = url.options([...files, 'prefix'], ['compaction-interval']);
  if (url.segments.length > 0)
    throw url.refuse('it has a path, which this store does not take', 'Give another prefix than /registry as ?prefix=/NAME');
  if (url.user !== '' || url.password !== '')
    throw url.refuse('it has a user, and etcd knows this one by its certificate alone', 'Give cert-file=FILE&key-file=FILE');
  const isSecure = url.scheme === 'etcd+https';
  const [option] = files.filter((name) => given[name] !== undefined);
  if (!isSecure && option)
    throw url.refuse(`it has the option "${option}", but its endpoints do not speak TLS`, 'Give its endpoints with https://');
  const read = (name: (typeof files)[number]): Buffer | null => readPem(url, name, given[name]);
  const tls = { ca: read('ca-file'), cert: read('cert-file'), key: read('key-file') };
  if ((tls.cert === null) !== (tls.key === null)) throw url.refuse('it has one of cert-file and key-file', 'Give both or none');
  const prefix = (given.prefix ?? registry).replace(/\/+$/, '');
  if (!/^\/[!-~]+$/.test(prefix)) throw url.refuse(`"${prefix}" is no prefix`, 'Give it as prefix=/registry');
  return {
    endpoints: url
      .hosts(2379)
      .map(({ host, port }) => `${isSecure ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`),
    tls: isSecure ? tls : undefined,
    shown: url.shown,
    space: new KeySpace(registry, prefix),
    compactionMs: (given['compaction-interval'] ?? defaultCompactionSeconds) * 1000,
  };
}

function readPem(url: StoreUrl, name: string, path: string | undefined): Buffer | null {
  if (path === undefined) return null;
  try {
    return readFileSync(path);
  } catch (err) {
    throw url.refuse(`its ${name} cannot be read: ${messageOf(err)}`, `Give a PEM file as ${name}=/etc/kubernetes/pki/etcd/${name}.pem`);
  }
}
