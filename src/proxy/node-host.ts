/** What the proxy wants to know of the network namespace that it serves: addresses, and who listens. The edge, and what it gives as data. */
import { readFileSync } from 'node:fs';
import { NetlinkSocket } from '../linux/netlink/netlink-socket.ts';
import { RTNLGRP, Rtnetlink } from '../linux/netlink/rtnetlink.ts';
import { getListening, type ListeningSocket, NETLINK_SOCK_DIAG, parseListening } from '../linux/netlink/sock-diag.ts';
import { isServiceAddress } from './mode/service-address.ts';
import type { LinkAddress, Listener } from './plan/reserved.ts';

export interface NodeHost {
  /** The node's own, of all links, loopback included. */
  addresses(): Promise<readonly LinkAddress[]>;
  /** TCP sockets that listen, and UDP sockets that take datagrams of anybody. */
  listeners(): Promise<readonly Listener[]>;
  /** Calls `onChange` when an address came or went, or may have. */
  watch(onChange: () => void): void;
  close(): void;
}

/** Of the network namespace in which it was made. */
export class KernelNodeHost implements NodeHost {
  readonly #routing = new Rtnetlink();
  readonly #notices = new Rtnetlink();
  readonly #sockets = new NetlinkSocket(NETLINK_SOCK_DIAG);
  readonly #ephemeral: readonly number[] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').trim().split(/\s+/).map(Number);

  constructor() {
    for (const socket of [this.#routing, this.#notices, this.#sockets]) socket.unref();
  }

  async addresses(): Promise<readonly LinkAddress[]> {
    return (await this.#routing.addresses()).filter((address) => !isServiceAddress(address)).map(({ ip, prefix }) => ({ ip, prefix }));
  }

  async listeners(): Promise<readonly Listener[]> {
    const found: ListeningSocket[] = [];
    for (const family of [4, 6] as const)
      for (const protocol of ['tcp', 'udp'] as const)
        for (const message of await this.#sockets.dump(getListening(family, protocol), 'list sockets')) {
          const socket = parseListening(message, protocol);
          if (socket) found.push(socket);
        }
    return listenersOf(found, this.#ephemeral);
  }

  watch(onChange: () => void): void {
    this.#notices.subscribe([RTNLGRP.address4, RTNLGRP.address6], onChange);
  }

  close(): void {
    for (const socket of [this.#routing, this.#notices, this.#sockets]) socket.close();
  }
}

/**
 * The sockets that a client from elsewhere could have meant. A UDP socket in the range of ports that the kernel hands out (`ephemeral`) is
 * most often a client's own, which is gone in a moment.
 */
function listenersOf(sockets: readonly ListeningSocket[], ephemeral: readonly number[]): Listener[] {
  const [first = 32_768, last = 60_999] = ephemeral;
  return sockets
    .filter(({ protocol, port }) => protocol === 'tcp' || port < first || port > last)
    .map(({ ip, protocol, port }) => ({ protocol, port, ...(ip === '0.0.0.0' || ip === '::' ? {} : { ip }) }));
}
