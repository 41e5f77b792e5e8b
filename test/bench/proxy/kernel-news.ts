/** What the kernel says of changes of its packet filter, in the network namespace of this thread: by nftables, or by iptables over it. */
import { NETLINK_NETFILTER, NetlinkSocket } from '../../../src/linux/netlink/netlink-socket.ts';

/** NFNLGRP_NFTABLES. */
const group = 7;
/** A large Service's rules are told in one go. */
const room = 64 << 20;

export class KernelNews implements Disposable {
  readonly #socket = new NetlinkSocket(NETLINK_NETFILTER, { room });
  #wanted: { readonly bytes: Buffer; readonly found: (at: number) => void } | undefined;

  constructor() {
    this.#socket.subscribe([group], (message) => {
      // What was lost may have been it.
      if (message === 'lost' || (this.#wanted && message.data.includes(this.#wanted.bytes))) this.#wanted?.found(performance.now());
    });
  }

  /** When the kernel tells of a rule or an element with the address: a transaction is told once it holds. */
  of(ip: string): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<number>();
    this.#wanted = { bytes: Buffer.from(ip.split('.').map(Number)), found: resolve };
    return promise;
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}
