/** Which of this machine's addresses speaks to a host. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { isIP } from 'node:net';

/**
 * The address from which this machine (the network namespace of this process) would speak to a host, by its routes; undefined when
 * there is no way, or none that leaves the machine. Nothing is sent, but for the look-up of a name, of which IPv4 is taken.
 */
export async function sourceAddressTo(host: string): Promise<string | undefined> {
  const socket = createSocket(isIP(host) === 6 ? 'udp6' : 'udp4');
  try {
    socket.connect(9, host);
    await once(socket, 'connect');
    const { address } = socket.address();
    // To itself a machine speaks from the address that is spoken to.
    return address === socket.remoteAddress().address || address.startsWith('127.') || address === '::1' ? undefined : address;
  } catch {
    return undefined;
  } finally {
    socket.close();
  }
}
