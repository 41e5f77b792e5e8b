/** IPv6 multicast groups that this process listens to on links (ipv6(7)): switches and network cards then let the group's frames through. */
import { closeSync } from 'node:fs';
import { KnownError } from '../errors/known-error.ts';
import { ipToBytes } from '../ip/ip.ts';
import { loadLibc } from './libc.ts';
import { errnoName } from './netlink/netlink-error.ts';
import { addressFamilies } from './socket-address.ts';

const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const IPPROTO_IPV6 = 41;
const IPV6_ADD_MEMBERSHIP = 20;
const IPV6_DROP_MEMBERSHIP = 21;

export class MulticastGroups implements Disposable {
  readonly #fd: number;
  /** How many of its users a group has, as several addresses may have one. */
  readonly #users = new Map<string, number>();

  /** In the network namespace of the calling thread. Throws KERNEL_REFUSED. */
  constructor() {
    const libc = loadLibc();
    this.#fd = libc.socket(addressFamilies[6], SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (this.#fd < 0) throw refused('open a socket of IPv6', libc.errno());
  }

  /** Throws KERNEL_REFUSED when the link is gone or has room for no more. */
  join(group: string, index: number): void {
    const key = `${index} ${group}`;
    const users = this.#users.get(key) ?? 0;
    if (users === 0 && this.#set(IPV6_ADD_MEMBERSHIP, group, index) !== 0) throw refused(`join group "${group}"`, loadLibc().errno());
    this.#users.set(key, users + 1);
  }

  leave(group: string, index: number): void {
    const key = `${index} ${group}`;
    const users = this.#users.get(key) ?? 0;
    if (users > 1) {
      this.#users.set(key, users - 1);
      return;
    }
    // A link that is gone has taken its groups along.
    if (this.#users.delete(key)) this.#set(IPV6_DROP_MEMBERSHIP, group, index);
  }

  /** struct ipv6_mreq. */
  #set(option: number, group: string, index: number): number {
    const request = Buffer.alloc(20);
    request.set(ipToBytes(group), 0);
    request.writeUInt32LE(index, 16);
    return loadLibc().setsockopt(this.#fd, IPPROTO_IPV6, option, request, request.length);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

function refused(doing: string, errno: number): KnownError {
  return new KnownError('KERNEL_REFUSED', `Cannot ${doing}: ${errnoName(errno)}`, {
    hint: 'See "ip -6 maddr" and sysctl net.core.optmem_max; without IPv6 in the kernel, give Services addresses of IPv4 alone',
  });
}
