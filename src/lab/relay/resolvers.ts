import { readFile, stat } from 'node:fs/promises';
import { isIp } from '../../ip/ip.ts';

/** The nameservers of a resolv.conf(5), in order; at most three, as the C library reads it. */
export function parseNameservers(text: string): string[] {
  const found = text.split('\n').flatMap((line) => {
    const [word, address = ''] = line.trim().split(/\s+/);
    // A zone (fe80::1%eth0) is kept: the socket needs it.
    return word === 'nameserver' && isIp(address.split('%')[0] ?? '') ? [address] : [];
  });
  return found.slice(0, 3);
}

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
        this.#servers = parseNameservers(await readFile(this.#path, 'utf8'));
        this.#seen = seen;
      }
    } catch {
      this.#servers = [];
    }
    return this.#servers;
  }
}
