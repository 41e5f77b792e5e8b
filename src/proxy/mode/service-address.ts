/** Addresses of Services that a mode gives to the node, told from the node's own. Pure. */
import type { Address } from '../../linux/netlink/address.ts';

/** Mode ipvs, and kube-proxy's, has them on a device of their own. */
export const serviceDevice = 'kube-ipvs0';

/** Those of mode userspace. In `ip address show proto 0x6b`; of those that nobody has registered (/etc/iproute2/rt_addrprotos). */
export const serviceAddressProto = 0x6b;

export function isServiceAddress({ proto }: Pick<Address, 'proto'>): boolean {
  return proto === serviceAddressProto;
}
