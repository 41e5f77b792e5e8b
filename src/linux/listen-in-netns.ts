/** Sockets that listen in another network namespace. */
import { KnownError } from '../errors/known-error.ts';
import { loadLibc } from './libc.ts';
import { inNetns } from './netns.ts';
import { addressFamilyOf, socketAddress } from './socket-address.ts';

const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK_CLOEXEC = 0o2004000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;

/**
 * A bound socket (listening, when TCP) in another network namespace, as a file descriptor for `listen({fd})` and `bind({fd})`.
 * Node.js opens its sockets some time after it is asked to, so the namespace cannot be changed around its own calls.
 */
export function listenInNetns(netns: string, kind: 'tcp' | 'udp', address: string, port: number): number {
  const c = loadLibc();
  const at = socketAddress(address, port);
  return inNetns(netns, () => {
    const fd = c.socket(addressFamilyOf(address), (kind === 'tcp' ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK_CLOEXEC, 0);
    const one = Uint8Array.of(1, 0, 0, 0);
    if (kind === 'tcp') c.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, one, 4);
    if (fd < 0 || c.bind(fd, at, at.length) !== 0 || (kind === 'tcp' && c.listen(fd, 128) !== 0))
      throw new KnownError('PORT_TAKEN', `Cannot listen on "${address}:${port}" (${kind}) in "${netns}"`, {
        hint: `See who holds it: nsenter --net=${netns} ss -lnp "sport = :${port}"`,
      });
    return fd;
  });
}
