/** The sets of the kernel, over netlink. */
import { KnownError } from '../../errors/known-error.ts';
import { askProtocol, changeIpset, ipsetErrno, listSet, listSetNames, parseProtocol, parseSet, parseSetName } from '../netlink/ipset.ts';
import { isErrno, NetlinkError } from '../netlink/netlink-error.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from '../netlink/netlink-socket.ts';
import type { HeldIpset, Ipset, IpsetOp } from './ipset.ts';

/** Of the network namespace in which it was made. */
export class KernelIpset implements Ipset {
  /** Beside the event loop: a set has thousands of entries. */
  readonly #socket = new NetlinkSocket(NETLINK_NETFILTER, { aside: true });
  /** Messages sent by `apply` so far, for budgets. */
  messagesSent = 0;

  async protocol(): Promise<number> {
    try {
      const [message] = await this.#socket.get(askProtocol, 'ask for the protocol of ipset');
      return parseProtocol(message);
    } catch (err) {
      if (isErrno(err, 'EPERM')) throw err;
      const hint = 'Load its modules (modprobe ip_set ip_set_hash_ipport), or use a kernel that has them';
      throw new KnownError('KERNEL_FEATURE_MISSING', 'Cannot speak to "ip_set": this kernel does not have it', { hint, cause: err });
    }
  }

  async apply(ops: readonly IpsetOp[]): Promise<(NetlinkError | undefined)[]> {
    if (ops.length === 0) return [];
    this.messagesSent += ops.length;
    const errors = await this.#socket.stream(ops.map(changeIpset), 'change sets');
    return errors.map((error, i) => {
      // Linux before 6.6 refuses it.
      if (!error || (error.errno === 'ENOENT' && ops[i]?.op === 'destroy')) return undefined;
      return new NetlinkError(ipsetErrno(error.errno), 'change sets');
    });
  }

  async names(): Promise<string[]> {
    return (await this.#socket.dump(listSetNames, 'list sets')).map(parseSetName).filter((name) => name !== '');
  }

  async read(name: string): Promise<HeldIpset | undefined> {
    try {
      return parseSet(await this.#socket.dump(listSet(name), `list set "${name}"`));
    } catch (err) {
      if (isErrno(err, 'ENOENT')) return undefined;
      throw err;
    }
  }

  close(): void {
    this.#socket.close();
  }
}
