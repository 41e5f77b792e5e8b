/** Who listens: the tables of /proc/net (proc_net(5)). Pure. */
import { bytesToIp } from '../../ip/ip.ts';
import type { Listener } from './facts.ts';

/** TCP_LISTEN, and what an unconnected UDP socket says. */
const states = { tcp: '0A', udp: '07' } as const;

/** Words of 32 bits in the order of the machine's bytes: little endian wherever this runs. */
function addressOf(hex: string): string {
  const words = hex.match(/.{8}/g) ?? [];
  return bytesToIp(Uint8Array.from(words.flatMap((word) => [...Buffer.from(word, 'hex').reverse()])));
}

export function parseListeners(table: 'tcp' | 'tcp6' | 'udp' | 'udp6', text: string): Listener[] {
  const protocol = table.startsWith('tcp') ? 'tcp' : 'udp';
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, local = '', , state] = line.trim().split(/\s+/);
      const [address, port] = local.split(':');
      if (address === undefined || port === undefined || state !== states[protocol]) return [];
      return [{ protocol, address: addressOf(address), port: Number.parseInt(port, 16) }];
    });
}
