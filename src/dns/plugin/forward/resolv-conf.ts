import { readFileSync, statSync } from 'node:fs';
import { parseIp } from '../../../ip/ip.ts';
import type { Upstream } from './resolver.ts';

/** The `nameserver` lines of resolv.conf(5), at most three as libc takes. */
export function parseResolvConf(text: string): Upstream[] {
  const servers: Upstream[] = [];
  for (const line of text.split('\n')) {
    const [word, address = ''] = line.trim().split(/\s+/);
    const [bare = '', scope] = address.split('%');
    const ip = word === 'nameserver' ? parseIp(bare) : undefined;
    if (ip !== undefined) servers.push({ address: scope === undefined ? ip : `${ip}%${scope}`, port: 53 });
  }
  return servers.slice(0, 3);
}

/** The resolvers of a file that may change: looked at again when its time of change moves. */
export function resolversOf(path: string): () => readonly Upstream[] {
  let seen = -1;
  let servers: readonly Upstream[] = [];
  return () => {
    try {
      const { mtimeMs } = statSync(path);
      if (mtimeMs !== seen) {
        servers = parseResolvConf(readFileSync(path, 'utf8'));
        seen = mtimeMs;
      }
    } catch {
      // A file that is being replaced: the last answer holds.
    }
    return servers;
  };
}
