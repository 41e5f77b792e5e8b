/**
 * The addresses that this machine takes for its own: not what its interfaces list (one that is up without a carrier is left out by the
 * usual calls, and a whole range may be local), but what the kernel's routing tables deliver here.
 */
import { readFile } from 'node:fs/promises';
import { bytesToIp, type Cidr, mustCidr } from '../../ip/ip.ts';

/** The local ranges in the text of /proc/net/fib_trie: an address, then lines of its prefixes with scope and type. */
export function parseFibTrie(text: string): Cidr[] {
  const found = new Map<string, Cidr>();
  let address = '';
  for (const line of text.split('\n')) {
    address = /^\s*(?:\+--|\|--) ([\d.]+)/.exec(line)?.[1] ?? address;
    const [, prefix] = /^\s*\/(\d+) \S+ (?:LOCAL|BROADCAST|ANYCAST)\b/.exec(line) ?? [];
    if (prefix !== undefined) found.set(`${address}/${prefix}`, mustCidr(`${address}/${prefix}`));
  }
  return [...found.values()];
}

/** RTF_LOCAL and RTF_ANYCAST (include/uapi/linux/ipv6_route.h). */
const localFlags = 0x80000000 | 0x00100000;

/** The local ranges in the text of /proc/net/ipv6_route: destination, prefix length, …, flags as the ninth word, all hexadecimal. */
export function parseIpv6Routes(text: string): Cidr[] {
  return text.split('\n').flatMap((line) => {
    const words = line.trim().split(/\s+/);
    const [destination = '', prefix = ''] = words;
    if (destination.length !== 32 || (Number.parseInt(words[8] ?? '0', 16) & localFlags) === 0) return [];
    return [mustCidr(`${bytesToIp(Buffer.from(destination, 'hex'))}/${Number.parseInt(prefix, 16)}`)];
  });
}

/** As they are now. Throws when the kernel cannot be asked, as nothing may be connected to then. */
export async function ownAddresses(): Promise<Cidr[]> {
  const ipv6 = readFile('/proc/net/ipv6_route', 'utf8').catch((err: NodeJS.ErrnoException) => {
    // A kernel without IPv6 has no such addresses.
    if (err.code === 'ENOENT') return '';
    throw err;
  });
  return [...parseFibTrie(await readFile('/proc/net/fib_trie', 'utf8')), ...parseIpv6Routes(await ipv6)];
}
