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

  /** When the kernel tells of a rule or an element with the address: a transaction is told once it holds. Rejects when that takes longer than the limit. */
  of(ip: string, limitMs: number): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const timer = setTimeout(() => reject(new Error(`The kernel has not told of ${ip} within ${limitMs / 1000} s`)), limitMs);
    // Who waits for something else by then does not end later for it.
    timer.unref();
    const found = (at: number): void => {
      clearTimeout(timer);
      resolve(at);
    };
    this.#wanted = { bytes: Buffer.from(ip.split('.').map(Number)), found };
    return promise;
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}
