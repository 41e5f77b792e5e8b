/** How a Redis is reached, read from its URL: one address, or the sentinels that know it. */
import { readFileSync } from 'node:fs';
import type { RedisOptions } from 'ioredis';
import { messageOf } from '../../errors/known-error.ts';
import type { StoreUrl } from '../store-url.ts';
import type { SentinelSettings } from './sentinels.ts';

const files = ['password-file', 'sentinel-password-file', 'ca', 'cert', 'key'] as const;
const texts = ['fsync', 'cluster', 'server-name', 'sentinel-user', ...files] as const;
const numbers = ['wait-replicas', 'max-log-events', 'max-log-bytes'] as const;

export interface RedisSettings {
  /** Without an address where sentinels know it. */
  readonly connection: RedisOptions;
  readonly sentinels: SentinelSettings | undefined;
  /** The URL without its password, for messages. */
  readonly shown: string;
  readonly cluster: string;
  readonly everysec: boolean;
  readonly waitReplicas: number;
  readonly maxLogEvents: number;
  readonly maxLogBytes: number;
  /** How long Redis may take for an answer, in milliseconds. Then nobody knows what became of a write. */
  readonly answerMs: number;
  /** How long replicas may take to confirm: longer than the primary takes to drop one that is gone (its `repl-timeout`). */
  readonly confirmMs: number;
  /** How long calls wait for a connection that broke, before they fail at once. */
  readonly patienceMs: number;
  /** How long after a try to connect that failed the next one comes, at first. */
  readonly pauseMs: number;
  /** How often a Redis that is used is looked at again: who sets `appendonly no` breaks no connection by it. */
  readonly lookMs: number;
}

/**
 * Sentinels that miss a primary after 3 seconds replace it after some 5, and 6 to 7 later each time that they split their votes: a call that waits as long
 * need not be made again.
 */
const [patienceMs, patienceWithSentinelsMs] = [5_000, 20_000];

/** Throws BAD_CONFIG. */
export function readRedisUrl(url: StoreUrl): RedisSettings {
  const given = url.options(texts, numbers);
  if (given.fsync !== undefined && given.fsync !== 'everysec')
    throw url.refuse(`"${given.fsync}" is no kind of fsync`, 'Give fsync=everysec to accept an appendfsync of everysec, or leave it out');
  const content = (name: (typeof files)[number]): string | undefined => {
    const path = given[name];
    if (path === undefined) return undefined;
    try {
      return readFileSync(path, 'utf8');
    } catch (err) {
      throw url.refuse(
        `the file of ${name} cannot be read: ${messageOf(err)}`,
        `Give a file that exists: ${name}=/etc/fairlead/${name}.pem`,
      );
    }
  };
  const tls = url.scheme.startsWith('rediss')
    ? { tls: defined({ ca: content('ca'), cert: content('cert'), key: content('key'), servername: given['server-name'] }) }
    : {};
  const login = {
    username: url.user || undefined,
    password: content('password-file')?.trimEnd() ?? (url.password || undefined),
  };
  const sentinel = { username: given['sentinel-user'], password: content('sentinel-password-file')?.trimEnd() };
  const isSentinel = url.scheme.endsWith('+sentinel');
  return {
    connection: defined({ ...(isSentinel ? { db: database(url, url.segments.slice(1)) } : serverOf(url)), ...tls, ...login }),
    sentinels: isSentinel ? sentinelsOf(url, { ...sentinel, ...tls }) : undefined,
    shown: url.shown,
    cluster: given.cluster ?? 'kubernetes',
    everysec: given.fsync === 'everysec',
    waitReplicas: given['wait-replicas'] ?? 0,
    maxLogEvents: given['max-log-events'] ?? 32_768,
    maxLogBytes: given['max-log-bytes'] ?? 64 << 20,
    answerMs: 10_000,
    confirmMs: 10_000,
    patienceMs: isSentinel ? patienceWithSentinelsMs : patienceMs,
    pauseMs: 50,
    lookMs: 10_000,
  };
}

function serverOf(url: StoreUrl): RedisOptions {
  const [first, ...others] = url.hosts(6379);
  if (!first || others.length > 0) throw url.refuse('it does not name one host');
  return { ...first, db: database(url, url.segments) };
}

function sentinelsOf(url: StoreUrl, options: RedisOptions): SentinelSettings {
  const [name] = url.segments;
  if (!name)
    throw url.refuse('it does not name the primary that the sentinels watch', 'Give it as redis+sentinel://HOST,HOST,HOST/mymaster');
  return { name, each: url.hosts(26379).map((address) => ({ ...address, ...defined(options) })) };
}

function database(url: StoreUrl, segments: readonly string[]): number {
  const [number = '0', ...rest] = segments;
  if (rest.length > 0 || !/^\d{1,5}$/.test(number)) throw url.refuse('its path is no number of a database');
  return Number(number);
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Without what is undefined. */
function defined<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>;
}
