/** Hears from the kernel when rules of the nft backend are changed. */
import { NETLINK_NETFILTER, NetlinkSocket } from '../netlink/netlink-socket.ts';

/** NFNLGRP_NFTABLES. */
const group = 7;

export class ChainWatch {
  readonly #socket = new NetlinkSocket(NETLINK_NETFILTER);

  /** Calls `onChange` for every message that has a name which begins so, as a chain's or in a rule, and when messages were lost. */
  constructor(prefix: string, onChange: () => void) {
    const name = Buffer.from(prefix);
    this.#socket.unref();
    this.#socket.subscribe([group], (message) => {
      if (message === 'lost' || message.data.includes(name)) onChange();
    });
  }

  close(): void {
    this.#socket.close();
  }
}
