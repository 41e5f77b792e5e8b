/** Which of this machine's addresses speaks to a host. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { isIP } from 'node:net';
import { type Family, familyOf } from '../ip/ip.ts';

/** For documentation: its route is the default route. */
const somewhere: Readonly<Record<Family, string>> = { 4: '192.0.2.1', 6: '2001:db8::1' };

/**
 * The address under which others know this machine: that from which it speaks to the first of `hosts` that it has a way to, else that of
 * its default route. `own`: those it has, of IPv4 first; one of these comes before a default route of IPv6.
 */
export async function addressForOthers(
  hosts: readonly string[],
  own: readonly string[],
  sourceTo: typeof sourceAddressTo = sourceAddressTo,
): Promise<string | undefined> {
  for (const host of [...hosts, somewhere[4]]) {
    const address = await sourceTo(host);
    if (address !== undefined) return address;
  }
  const [first] = own;
  return first !== undefined && familyOf(first) === 4 ? first : ((await sourceTo(somewhere[6])) ?? first);
}

/** From which of its addresses this machine speaks by the default route of a family, if it has one. */
export async function defaultSource(family: Family, sourceTo: typeof sourceAddressTo = sourceAddressTo): Promise<string | undefined> {
  return await sourceTo(somewhere[family]);
}

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
