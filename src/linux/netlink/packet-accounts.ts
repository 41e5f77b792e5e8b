/** Accounts of packets by name, to which rules of iptables add (match `nfacct`), over nfnetlink. Source: include/uapi/linux/netfilter/nfnetlink_acct.h. */
import { firstAttr, text } from './attribute.ts';
import type { NetlinkRequest } from './message.ts';
import { isErrno } from './netlink-error.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from './netlink-socket.ts';

const NFNL_SUBSYS_ACCT = 7 << 8;
const NFNL_MSG_ACCT = { new: 0, get: 1, delete: 3 } as const;
const NFACCT = { name: 1, packets: 2 } as const;

export interface PacketAccounts {
  /** Makes it, unless it is there. False when it is not there then. */
  ensure(name: string): Promise<boolean>;
  /** Undefined when there is none of that name. */
  packets(name: string): Promise<number | undefined>;
  /** Takes it away. False while a rule adds to it. */
  remove(name: string): Promise<boolean>;
  close(): void;
}

function request(message: keyof typeof NFNL_MSG_ACCT, name: string): NetlinkRequest {
  return { type: NFNL_SUBSYS_ACCT | NFNL_MSG_ACCT[message], body: new Uint8Array(4), attrs: [[NFACCT.name, text(name)]] };
}

/** In the network namespace in which it was made. */
export class KernelPacketAccounts implements PacketAccounts {
  readonly #socket = new NetlinkSocket(NETLINK_NETFILTER);

  private constructor() {}

  /** Undefined where the kernel keeps none. */
  static async open(): Promise<KernelPacketAccounts | undefined> {
    let accounts: KernelPacketAccounts | undefined;
    try {
      accounts = new KernelPacketAccounts();
      await accounts.packets('any');
      return accounts;
    } catch {
      accounts?.close();
      return undefined;
    }
  }

  async ensure(name: string): Promise<boolean> {
    const [error] = await this.#socket.batch([request('new', name)], `make account "${name}"`);
    return error === undefined || isErrno(error, 'EEXIST') || isErrno(error, 'EBUSY');
  }

  async packets(name: string): Promise<number | undefined> {
    try {
      const [answer] = await this.#socket.get(request('get', name), `read account "${name}"`);
      const value = firstAttr(answer?.data.subarray(4), NFACCT.packets);
      return value && Number(value.readBigUInt64BE());
    } catch (err) {
      if (isErrno(err, 'ENOENT')) return undefined;
      throw err;
    }
  }

  async remove(name: string): Promise<boolean> {
    const [error] = await this.#socket.batch([request('delete', name)], `delete account "${name}"`);
    return !isErrno(error, 'EBUSY');
  }

  close(): void {
    this.#socket.close();
  }
}
