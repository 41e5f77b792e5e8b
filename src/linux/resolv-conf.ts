/** Reads resolv.conf(5) as glibc does: pure. What it says is text that glibc would take; how many of it glibc uses is for the caller. */
import { isIp } from '../ip/ip.ts';

export interface ResolvConf {
  /** Addresses as they are written, IPv6 ones perhaps with a zone (`fe80::1%eth0`). The port is always 53. */
  servers: string[];
  /** Without the dot at the end, which says nothing here, and without the root, under which a name is looked for anyway. */
  searches: string[];
  /** `ndots:5`; of several with one name the last. */
  options: string[];
}

/** MAXNS of resolv.h: more servers nobody asks. */
export const maxNameservers = 3;

/** What cannot be understood is left out, as glibc does. Unlike there a line may begin with spaces: kubelet and CoreDNS take such. */
export function parseResolvConf(text: string): ResolvConf {
  const servers: string[] = [];
  let searches: readonly string[] = [];
  const options = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line.trim().split(/\s+/);
    const [first] = values;
    if (first === undefined) continue;
    switch (keyword) {
      case 'nameserver':
        if (isIp(first.split('%')[0] ?? '')) servers.push(first);
        break;
      // `domain` is a list of one, and the last line of either kind counts.
      case 'domain':
        searches = [first];
        break;
      case 'search':
        searches = values;
        break;
      case 'options':
        for (const option of values) addLast(options, option);
    }
  }
  return { servers, searches: searches.map((s) => s.replace(/\.$/, '')).filter((s) => s !== ''), options: [...options.values()] };
}

function addLast(options: Map<string, string>, option: string): void {
  const [name = ''] = option.split(':');
  options.delete(name);
  options.set(name, option);
}
