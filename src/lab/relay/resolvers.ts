/** Whom the relay asks: the host's resolvers. */
import { readFile, stat } from 'node:fs/promises';
import { maxNameservers, parseResolvConf } from '../../linux/resolv-conf.ts';

/** The host's nameservers, read again when the file changes (a laptop moves between networks). */
export class HostResolvers {
  #path: string;
  #seen = '';
  #servers: readonly string[] = [];

  constructor(path: string) {
    this.#path = path;
  }

  async servers(): Promise<readonly string[]> {
    try {
      const { mtimeMs, ino } = await stat(this.#path);
      const seen = `${mtimeMs}/${ino}`;
      if (seen !== this.#seen) {
        this.#servers = parseResolvConf(await readFile(this.#path, 'utf8')).servers.slice(0, maxNameservers);
        this.#seen = seen;
      }
    } catch {
      this.#servers = [];
    }
    return this.#servers;
  }
}
