/** The host's resolvers, for forwarding. */
import { readFileSync, statSync } from 'node:fs';
import { maxNameservers, parseResolvConf } from '../../../linux/resolv-conf.ts';
import type { Upstream } from './resolver.ts';

/** The resolvers of a file that may change: looked at again when its time of change moves. */
export function resolversOf(path: string): () => readonly Upstream[] {
  let seen = -1;
  let servers: readonly Upstream[] = [];
  return () => {
    try {
      const { mtimeMs } = statSync(path);
      if (mtimeMs !== seen) {
        const { servers: addresses } = parseResolvConf(readFileSync(path, 'utf8'));
        servers = addresses.slice(0, maxNameservers).map((address) => ({ address, port: 53 }));
        seen = mtimeMs;
      }
    } catch {
      // A file that is being replaced: the last answer holds.
    }
    return servers;
  };
}
