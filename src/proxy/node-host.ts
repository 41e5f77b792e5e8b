/** What the proxy wants to know of the network namespace that it serves: addresses, and who listens. The edge, and what it gives as data. */
import { readFileSync } from 'node:fs';
import { type Address, parseAddress } from '../linux/netlink/address.ts';
import { NetlinkSocket } from '../linux/netlink/netlink-socket.ts';
import { RTNLGRP, Rtnetlink } from '../linux/netlink/rtnetlink.ts';
import { getListening, type ListeningSocket, NETLINK_SOCK_DIAG, parseListening } from '../linux/netlink/sock-diag.ts';
import { isServiceAddress, serviceDevice } from './mode/service-address.ts';
import type { LinkAddress, Listener } from './plan/reserved.ts';

export interface NodeHost {
  /** The node's own, of all links, loopback included. */
  addresses(): Promise<readonly LinkAddress[]>;
  /** TCP sockets that listen, and UDP sockets that take datagrams of anybody. */
  listeners(): Promise<readonly Listener[]>;
  /** Calls `onChange` when one of these addresses came or went, or may have. */
  watch(onChange: () => void): void;
  close(): void;
}

/** Of the network namespace in which it was made. */
export class KernelNodeHost implements NodeHost {
  readonly #routing = new Rtnetlink();
  readonly #notices = new Rtnetlink();
  readonly #sockets = new NetlinkSocket(NETLINK_SOCK_DIAG);
  readonly #ephemeral: readonly number[] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').trim().split(/\s+/).map(Number);

  /** Of the device of the Services, as of the last look. */
  #deviceIndex: number | undefined;
  #isTold = false;
  /** How often it was told. */
  #tidings = 0;
  /** Addresses that were read since it is told of changes, until it is told of one. */
  #known: readonly LinkAddress[] | undefined;

  constructor() {
    for (const socket of [this.#routing, this.#notices, this.#sockets]) socket.unref();
  }

  async addresses(): Promise<readonly LinkAddress[]> {
    // In mode ipvs the kernel lists thousands, of which hardly any is the node's.
    if (this.#known) return this.#known;
    const [isTold, tidings] = [this.#isTold, this.#tidings];
    const [device, addresses] = await Promise.all([this.#routing.link(serviceDevice), this.#routing.addresses()]);
    this.#deviceIndex = device?.index;
    const own = addresses.filter((address) => !this.#isOfServices(address)).map(({ ip, prefix }) => ({ ip, prefix }));
    if (isTold && tidings === this.#tidings) this.#known = own;
    return own;
  }

  #isOfServices(address: Address): boolean {
    return isServiceAddress(address) || address.index === this.#deviceIndex;
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
    this.#isTold = true;
    this.#notices.subscribe([RTNLGRP.address4, RTNLGRP.address6], (notice) => {
      const address = notice === 'lost' ? undefined : parseAddress(notice);
      if (address && this.#isOfServices(address)) return;
      this.#tidings++;
      this.#known = undefined;
      onChange();
    });
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
