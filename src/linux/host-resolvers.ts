/** Whom programs of this machine ask for names. */
import { readFileSync, statSync } from 'node:fs';
import { maxNameservers, parseResolvConf } from './resolv-conf.ts';

/** The nameservers of a resolv.conf, which is read again when it changes: a laptop moves between networks. */
export function hostResolvers(path: string): () => readonly string[] {
  let seen = '';
  let servers: readonly string[] = [];
  return () => {
    try {
      const { mtimeMs, ino } = statSync(path);
      if (`${mtimeMs}/${ino}` !== seen) {
        servers = parseResolvConf(readFileSync(path, 'utf8')).servers.slice(0, maxNameservers);
        seen = `${mtimeMs}/${ino}`;
      }
    } catch {
      // A file that is being replaced: the last answer holds.
    }
    return servers;
  };
}
