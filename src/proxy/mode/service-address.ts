/** Addresses of Services that mode userspace gives to the node, told from the node's own. Pure. */
import type { Address } from '../../linux/netlink/address.ts';

/** In `ip address show proto 0x6b`; of those that nobody has registered (/etc/iproute2/rt_addrprotos). */
export const serviceAddressProto = 0x6b;

export function isServiceAddress({ proto }: Pick<Address, 'proto'>): boolean {
  return proto === serviceAddressProto;
}
