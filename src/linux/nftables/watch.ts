/** Hears from the kernel when a table is changed by others, so that nobody has to look again and again. */
import type { NetlinkMessage } from '../netlink/message.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from '../netlink/netlink-socket.ts';
import { messageType, subsystem } from './batch.ts';

/** NFNLGRP_NFTABLES. */
const group = 7;
/** struct nfgenmsg, and the header of the first attribute, which is the table's name in every message but the one that ends a transaction. */
const nameAt = 4 + 4;
/** Every rule of ten thousand Services, told in one go, so that nothing is lost and all need not be looked at again. */
const room = 256 << 20;

export class NftablesWatch {
  readonly #socket = new NetlinkSocket(NETLINK_NETFILTER, { room });

  /**
   * Calls `onChange` once for every message about a table of this name in any family, and when messages were lost. Changes
   * that came through the socket with the port `own` are left out.
   */
  constructor(table: string, onChange: () => void, own?: number) {
    const name = Buffer.from(`${table}\0`);
    this.#socket.unref();
    // A large table's first load would be told again, element by element.
    if (own !== undefined) this.#socket.ignore(own);
    this.#socket.subscribe([group], (message) => {
      if (message === 'lost' || (message.port !== own && isAbout(message, name))) onChange();
    });
  }

  close(): void {
    this.#socket.close();
  }
}

function isAbout({ type, data }: NetlinkMessage, name: Buffer): boolean {
  if (type >> 8 !== subsystem || (type & 0xff) === messageType.newGeneration) return false;
  return data.subarray(nameAt, nameAt + name.length).equals(name);
}
